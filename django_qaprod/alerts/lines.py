"""What a message says line by line, before it is text, HTML or data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..models import Alert
from ..queries.circumstances import RELEASES_BEFORE
from ..text import one_line
from . import addresses, phrases, words
from .facts import Facts
from .words import Entry

#: Alerts that one message names.
MOST_ALERTS = 20
_MOST_RUNBOOKS = 3


class Item(NamedTuple):
    """A sentence, and where it leads. One of the two may be empty."""

    text: str = ""
    url: str = ""


class Line(NamedTuple):
    """A label with what is said to it."""

    label: str
    items: Sequence[Item]

    @classmethod
    def of(cls, label: str, text: str = "", url: str = "") -> Line:
        """Return a line of one item."""
        return cls(label, (Item(text, url),))


def of_one(entry: Entry, facts: Facts) -> Iterator[Line]:
    """Tell of one alert: since when, compared with what, where, whom, what came before, and what to do."""
    alert, spec = entry.alert, entry.spec
    yield from _times(entry)
    if entry.over and (ended := words.ended(alert, facts)):
        yield Line.of(_("It was ended"), ended)
    if usual := one_line(alert.usual, words.SENTENCE):
        fewer = words.fewer(alert)
        yield Line.of(_("Compared with"), f"{usual}; {fewer}" if fewer else usual)
    if where := words.where(alert, spec):
        yield Line.of(_("Where"), where)
    yield from _around(facts, over=entry.over)
    if alert.flapping:
        yield Line.of(_("It comes and goes"), _("you are told when it has calmed down"))
    if not entry.over or alert.acknowledged_at is not None:
        yield Line.of(_("Who was on it") if entry.over else _("Who is on it"), words.on_it(alert))
    if spec is not None and not entry.over:
        yield from _to_do([entry])


def of_many(entries: Sequence[Entry], facts: Facts) -> Iterator[Line]:
    """Tell of several alerts: each in a line, the worst first, then what they have in common."""
    over = all(entry.over for entry in entries)
    yield _each(entries)
    yield from _around(facts, over=over)
    if busy := [entry for entry in entries if entry.alert.acknowledged_at is not None]:
        yield Line.of(
            _("Who is on it"), phrases.listed(dict.fromkeys(words.on_it(one.alert) for one in busy))
        )
    if not over:
        yield from _to_do(entries)


def of_digest(entries: Sequence[Entry], by_rule: Mapping[str, int]) -> Iterator[Line]:
    """Tell of what was held back: how many by rule, then the worst, which the entries are."""
    counts = sorted(by_rule.items(), key=lambda item: (-item[1], item[0]))
    items = [Item(f"{name}: {phrases.number(number)}") for name, number in counts[:MOST_ALERTS]]
    left = len(counts) - MOST_ALERTS
    more = ngettext("and %(number)s more rule", "and %(number)s more rules", left)
    yield Line(_("By rule"), [*items, *_more(more, left)])
    yield _each(entries, total=sum(by_rule.values()))


def links(entries: Sequence[Entry], *, look: str, act: str) -> Iterator[Line]:
    """Tell where to look, in words if there is no address, and where to act."""
    if look:
        yield Line.of(_("Look"), url=look)
    elif len(entries) == 1:
        where = _("in the admin of the site, at “%(title)s” among the alerts")
        yield Line.of(_("Look"), where % {"title": words.title(entries[0].alert)})
    else:
        yield Line.of(_("Look"), _("in the admin of the site, at the alerts"))
    if act and any(entry.waits and not entry.over for entry in entries):
        yield Line.of(_("Say that you are on it"), url=act)
    elif act:
        yield Line.of(_("Was this useful? Yes or no"), url=act)


def by_rule(given: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Return how many alerts of each rule there are, by its name as it is shown."""
    found: dict[str, int] = {}
    for rule, number in given:
        name = one_line(rule, words.NAME)
        found[name] = found.get(name, 0) + number
    return found


def _times(entry: Entry) -> Iterator[Line]:
    alert = entry.alert
    said = {"when": words.when(alert.began_at), "span": words.lasted(alert)}
    if alert.resolved_at is not None:
        said["end"] = words.when(alert.resolved_at)
        yield Line.of(_("When"), _("from %(when)s until %(end)s, for %(span)s") % said)
    elif entry.over:
        yield Line.of(_("When"), _("from %(when)s, for %(span)s") % said)
    else:
        yield Line.of(_("Since"), _("%(when)s, for %(span)s") % said)


def _around(facts: Facts, *, over: bool) -> Iterator[Line]:
    if hit := words.hit(facts, over=over):
        yield Line.of(_("Whom it hit") if over else _("Whom it hits"), hit)
    yield from _changes(facts, over=over)
    if facts.failures:
        items = [Item(words.failure(one), addresses.failure(one)) for one in facts.failures]
        yield Line(_("Failures that are new since then"), items)


def _changes(facts: Facts, *, over: bool) -> Iterator[Line]:
    items = [Item(words.changed(one)) for one in facts.deploys or ()]
    items += [Item(said) for said in islice(words.overridden(facts), 3)]
    if items:
        yield Line(_("Changed before or meanwhile") if over else _("Changed before"), items)
    elif facts.deploys is not None and not over:
        span = phrases.span(RELEASES_BEFORE.total_seconds())
        yield Line.of(
            _("Changed before"), _("nothing that is known, in the %(span)s before") % {"span": span}
        )


def _to_do(entries: Sequence[Entry]) -> Iterator[Line]:
    said = dict.fromkeys(
        (one_line(spec.description, 1_000), spec.runbook) for _, _, spec in entries if spec is not None
    )
    items = []
    for description, runbook in said:
        address = one_line(runbook, 500)
        if addresses.is_address(address) and " " not in address:
            items.append(Item(description, address))
        elif description or address:
            items.append(Item(" ".join(part for part in (description, address) if part)))
    if items:
        yield Line(_("What to do"), items[:_MOST_RUNBOOKS])


def _each(entries: Sequence[Entry], *, total: int = 0) -> Line:
    items = []
    for entry in entries[:MOST_ALERTS]:
        said = {"what": words.happened(entry.alert), "when": words.when(entry.alert.began_at)}
        items.append(Item(f"[{_label(entry)}] {_('%(what)s, since %(when)s') % said}"))
    left = max(total, len(entries)) - len(items)
    more = ngettext("and %(number)s more alert", "and %(number)s more alerts", left)
    return Line(_("Alerts"), [*items, *_more(more, left)])


def _label(entry: Entry) -> str:
    over = entry.over or entry.alert.state == Alert.State.RESOLVED
    return str(Alert.State.RESOLVED.label) if over else words.severity(one_line(entry.alert.severity, 20))


def _more(said: str, number: int) -> list[Item]:
    return [Item(said % {"number": phrases.number(number)})] if number > 0 else []
