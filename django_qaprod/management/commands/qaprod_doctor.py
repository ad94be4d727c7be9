"""``manage.py qaprod_doctor``."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils.translation import gettext as _

from ... import doctor
from ...doctor import Finding, Level


class Command(BaseCommand):
    """Print the doctor's findings; exit with 1 when one of them is an error."""

    help = (
        "Say what of django-qaprod is on, what is wrong and what was dropped. Exit status 1 means an error."
    )
    # It is for installations that are broken.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--send-test",
            action="store_true",
            help="send a failure and a number through spool, drainer and sinks, and remove them again",
        )
        parser.add_argument(
            "--test-channels", action="store_true", help="send a message by each channel: people get it"
        )
        parser.add_argument(
            "--deploy", action="store_true", help="say what concerns production alone even where DEBUG is on"
        )
        parser.add_argument("--json", action="store_true", help="print the findings as JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = doctor.examine(deploy=options["deploy"])
        if options["send_test"]:
            findings.append(doctor.send_test())
        if options["test_channels"]:
            findings += doctor.send_tests()
        if options["json"]:
            self.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=2))
        else:
            for finding in findings:
                self._print(finding)
        if any(finding.level is Level.ERROR for finding in findings):
            sys.exit(1)

    def _print(self, finding: Finding) -> None:
        styles = {
            Level.OK: self.style.SUCCESS,
            Level.UNKNOWN: self.style.WARNING,
            Level.WARNING: self.style.WARNING,
            Level.ERROR: self.style.ERROR,
        }
        words = {
            Level.OK: _("ok"),
            Level.UNKNOWN: _("unknown"),
            Level.WARNING: _("warning"),
            Level.ERROR: _("error"),
        }
        level = styles[finding.level](f"{words[finding.level]:<8}")
        self.stdout.write(f"{level} {finding.part:<11} {finding.message}")
        if finding.hint:
            self.stdout.write(f"{'':<20} → {finding.hint}")
