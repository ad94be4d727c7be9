"""The project's ``manage.py``: ``python -m example_project migrate``."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run a management command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example_project.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(["python -m example_project", *sys.argv[1:]])


if __name__ == "__main__":
    main()
