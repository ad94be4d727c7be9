"""The whole example at work on one machine. Run by ``make demo``, or ``python -m example_project.demo``."""
