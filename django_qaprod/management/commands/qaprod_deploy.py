"""``manage.py qaprod_deploy RELEASE`` and ``manage.py qaprod_deploy --flag NAME``."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from ...store import deploys


class Command(BaseCommand):
    """Mark a release as gone live, or a feature flag as changed."""

    help = (
        "Mark a release as gone live now: a mark on every chart, and what tells regressions. "
        "Or mark a feature flag as changed: a mark, and no release."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("release", nargs="?", default="", help="the release, as in QAPROD['RELEASE']")
        parser.add_argument(
            "--flag", metavar="NAME", default="", help="a feature flag or setting that was changed, instead"
        )
        parser.add_argument("--note", default="", help="what is in it, or to what it was changed")

    def handle(self, *args: Any, **options: Any) -> None:
        release, flag, note = (options[key].strip() for key in ("release", "flag", "note"))
        if bool(release) == bool(flag):
            raise CommandError(_("Name a release, or a feature flag by --flag NAME: one of the two."))
        if flag:
            row = deploys.flagged(flag, note=note)
            self.stdout.write(_("%(flag)s is marked as changed.") % {"flag": row})
            return
        row = deploys.announce(release, note=note)
        self.stdout.write(
            _("%(release)s went live at %(at)s.")
            % {"release": row.release, "at": row.at.isoformat(" ", "seconds")}
        )
