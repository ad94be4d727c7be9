"""How the pages' cost grows with the history: ``python -m benchmarks.growth``."""
