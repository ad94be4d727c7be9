"""Encrypts rescued submissions anew, with the first of ``QAPROD["RESCUE_KEYS"]``."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...exceptions import NoKeyError
from ...forms import rotation


class Command(BaseCommand):
    """Encrypt every version in the database, and what waits in this machine's spool."""

    help = (
        "Encrypts rescued submissions anew with the first of QAPROD['RESCUE_KEYS'], so that the others can "
        "be taken out. Those that have it already are left alone, so it can be stopped and run again. The "
        "exit status is 1 when some cannot be read with any of the keys."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the size of a batch."""
        parser.add_argument(
            "--batch", type=int, default=100, help="how many are read and written at once (default: 100)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the command."""
        try:
            found = rotation.rotate(most=max(options["batch"], 1))
        except NoKeyError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Encrypted anew: {found.rotated}. Had the first key already: {found.current}.")
        if found.unreadable:
            names = "\n".join(found.unreadable)
            raise CommandError(
                f"{len(found.unreadable)} cannot be read with any of the keys; put back the one that is "
                f"missing, or discard them:\n{names}"
            )
