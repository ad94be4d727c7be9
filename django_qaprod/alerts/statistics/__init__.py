"""The mathematics of ``Dip`` and ``Trend``, in plain Python: data in, numbers out, nothing of Django."""
