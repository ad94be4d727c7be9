"""``manage.py qaprod_backtest RULE``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ... import clock, registry
from ...alerts import phrases
from ...exceptions import QAProdError
from ...queries import rules

if TYPE_CHECKING:
    from ...alerts.backtest import Backtest

_MOST = 50


class Command(BaseCommand):
    """Say when a rule would have fired."""

    help = "Say when a rule would have fired in the last days, and with other limits how often."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("rule", help="the rule's name")
        parser.add_argument("--days", type=float, default=28.0, help="how many days back (28 by default)")
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="NAME=NUMBER",
            help="a number to try in place of the rule's own, durations in seconds; may be repeated",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        from ...alerts.backtest import backtest

        if not 0 < options["days"] <= 366:
            raise CommandError(_("--days is above 0 and at most 366."))
        numbers = dict(_number(given) for given in options["set"])
        try:
            found = backtest(rules.effective_rule(options["rule"]), days=options["days"], numbers=numbers)
        except QAProdError as error:
            known = "\n  ".join(spec.name for spec in registry.rules())
            raise CommandError(f"{error}\n{_('Rules:')}\n  {known}") from error
        for line in _lines(found):
            self.stdout.write(line)


def _number(given: str) -> tuple[str, float]:
    name, _equals, number = given.partition("=")
    try:
        return name.strip(), float(number)
    except ValueError:
        raise CommandError(f"--set {given}: NAME=NUMBER") from None


def _lines(found: Backtest) -> Iterator[str]:
    yield _("%(rule)s, from %(start)s to %(end)s (UTC), looked at every %(every)s") % {
        "rule": found.rule.name,
        "start": _moment(found.start),
        "end": _moment(found.end),
        "every": phrases.span(found.every),
    }
    if found.coarse:
        yield _(
            "Before %(fine)s its numbers are kept by the hour: there a whole hour is judged at a time, so it"
            " would have fired at most so often, and for less long."
        ) % {"fine": _moment(found.fine_from)}
    if found.begun is not None:
        yield (
            _("What it watches has never happened, as far as is known.")
            if found.first is None
            else _("What it watches happened first on %(day)s, as far as is known.")
            % {"day": _moment(found.first)[:10]}
        )
    if found.silent:
        share = phrases.share(found.silent / max(found.looks, 1))
        yield _("In %(share)s of the looks it says nothing: %(why)s") % {"share": share, "why": found.why}
    yield ""
    yield from _firings(found)
    if found.alternatives:
        yield ""
        yield from _alternatives(found)


def _firings(found: Backtest) -> Iterator[str]:
    if not found.firings:
        yield _("It would not have fired.")
        return
    times = ngettext("%(n)d time", "%(n)d times", len(found.firings)) % {"n": len(found.firings)}
    whole = {"times": times, "span": phrases.span(found.seconds)}
    yield _("It would have fired %(times)s, for %(span)s in all:") % whole
    for firing in found.firings[:_MOST]:
        span = phrases.span(firing.seconds) if firing.ended else _("still fires")
        key = f"{firing.key}: " if firing.key else ""
        usual = f" ({firing.usual})" if firing.usual else ""
        yield f"  {_moment(firing.fired)}  {span:>12}  {key}{firing.words}{usual}"
    if len(found.firings) > _MOST:
        yield f"  … {len(found.firings) - _MOST}"


def _alternatives(found: Backtest) -> Iterator[str]:
    rows = [(found.rule.numbers[found.main], len(found.firings), found.seconds, _("as it is"))]
    rows += [(one.value, one.firings, one.seconds, f"× {one.factor:g}") for one in found.alternatives]
    yield _("With another %(name)s:") % {"name": found.main}
    for value, firings, seconds, what in sorted(rows):
        times = ngettext("%(n)d time", "%(n)d times", firings) % {"n": firings}
        yield f"  {value:>12,.6g}  {times:>10}  {phrases.span(seconds):>12}  {what}"


def _moment(at: datetime) -> str:
    return f"{datetime.fromtimestamp(clock.epoch(at), UTC):%Y-%m-%d %H:%M}"
