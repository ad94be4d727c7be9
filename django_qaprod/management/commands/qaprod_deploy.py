"""``manage.py qaprod_deploy RELEASE`` and ``manage.py qaprod_deploy --flag NAME``."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils.translation import gettext as _

from ... import clock
from ...conf import telemetry_alias
from ...records import FlagRecord, new_id
from ...store import deploys


class Command(BaseCommand):
    """Mark a release as gone live, or a feature flag as changed."""

    help = "Mark a release as gone live now: a mark on every chart, and what tells regressions."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("release", help="the release, as in QAPROD['RELEASE']; or the flag's name")
        parser.add_argument("--note", default="", help="what is in it, in a sentence")
        parser.add_argument(
            "--flag", action="store_true", help="no new code: a feature flag or a setting was changed"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["flag"]:
            self._flag(options["release"], options["note"])
            return
        row = deploys.announce(options["release"], note=options["note"])
        self.stdout.write(
            _("%(release)s went live at %(at)s.")
            % {"release": row.release, "at": row.at.isoformat(" ", "seconds")}
        )

    def _flag(self, name: str, note: str) -> None:
        at = clock.epoch(clock.now())
        deploys.flagged([FlagRecord(id=new_id(at), at=at, name=name, note=note)], using=telemetry_alias())
        self.stdout.write(_("%(flag)s is marked as changed.") % {"flag": name})
