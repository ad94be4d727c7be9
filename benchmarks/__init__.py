"""What django-qaprod costs: ``python -m benchmarks`` per request, ``python -m benchmarks.growth`` per page."""
