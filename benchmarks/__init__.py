"""What django-qaprod costs: ``python -m benchmarks`` a request, ``python -m benchmarks.growth`` a page."""
