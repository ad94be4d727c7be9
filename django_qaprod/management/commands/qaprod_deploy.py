"""``manage.py qaprod_deploy RELEASE``."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils.translation import gettext as _

from ...store import deploys


class Command(BaseCommand):
    """Mark a release as gone live."""

    help = "Mark a release as gone live now: a mark on every chart, and what tells regressions."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("release", help="the release, as in QAPROD['RELEASE']")
        parser.add_argument("--note", default="", help="what is in it, in a sentence")

    def handle(self, *args: Any, **options: Any) -> None:
        row = deploys.announce(options["release"], note=options["note"])
        self.stdout.write(
            _("%(release)s went live at %(at)s.")
            % {"release": row.release, "at": row.at.isoformat(" ", "seconds")}
        )
