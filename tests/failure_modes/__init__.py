"""What goes wrong in other people's production, and the test that each of it has here.

The docstring of each module is a table: what goes wrong → its test (``path::test``, or a test of it).
"""
