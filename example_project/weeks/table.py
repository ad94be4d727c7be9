"""What came of the weeks: which alert was told for which trouble, how late, and which for none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django_qaprod import registry
from django_qaprod.models import Alert, Notification

from .troubles import MONDAY, WEEKS, ZONE, Trouble

_HEADS = (
    "what happens",
    "when",
    "the alert that should come",
    "came after",
    "after the first was hit",
    "over after its end",
    "messages",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An alert of which somebody was told: when first, and in which messages."""

    alert: Alert
    at: datetime
    messages: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What became of a trouble: the alerts that were told for it."""

    trouble: Trouble
    told: tuple[Told, ...]
    #: When the first visitor was hit, if that is known.
    hit: datetime | None = None

    @property
    def came(self) -> Told | None:
        """The first of the alerts that were to come, ``None`` when none did."""
        wanted = (
            one
            for one in self.told
            if one.alert.rule in self.trouble.expects
            and (not self.trouble.key or one.alert.key == self.trouble.key)
        )
        return min(wanted, key=lambda one: one.at, default=None)

    @property
    def right(self) -> bool:
        """Whether what was to come came, or nothing did where nothing was to."""
        return bool(self.came) == bool(self.trouble.expects)

    @property
    def delay(self) -> timedelta | None:
        """How long after it began somebody was told."""
        return None if self.came is None else self.came.at - self.trouble.begin

    @property
    def delay_of_hit(self) -> timedelta | None:
        """How long after the first visitor was hit somebody was told."""
        return None if self.came is None or self.hit is None else self.came.at - self.hit

    @property
    def over(self) -> timedelta | None:
        """How long after its end the last of its alerts was over."""
        ends = [one.alert.resolved_at for one in self.told if one.alert.resolved_at is not None]
        return max(ends) - self.trouble.end if ends and len(ends) == len(self.told) else None

    @property
    def messages(self) -> int:
        """How many messages there were, those included that say that it is over."""
        return len({message for one in self.told for message in one.messages})


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """All rows, the alerts that were told for nothing, those that were held, and messages by week."""

    rows: tuple[Row, ...]
    false: tuple[Told, ...]
    held: int
    rules: int
    messages: tuple[int, ...]

    @property
    def right(self) -> bool:
        """Whether all came that should, and nothing else."""
        return not self.false and all(row.right for row in self.rows)


def made(troubles: Sequence[Trouble], hit: Mapping[str, float]) -> Table:
    """Return the table of what is in the database; ``hit`` says whom a trouble hit first, by its title."""
    told = _told()
    rows = tuple(
        Row(
            trouble=one,
            told=tuple(alert for alert in told if _is_for(alert, one)),
            hit=datetime.fromtimestamp(hit[one.title], ZONE) if one.title in hit else None,
        )
        for one in sorted(troubles, key=lambda one: one.begin)
    )
    explained = {one.alert.pk for row in rows for one in row.told}
    fired = Alert.objects.exclude(fired_at=None).count()
    return Table(
        rows=rows,
        false=tuple(one for one in told if one.alert.pk not in explained),
        held=fired - len(told),
        rules=sum(spec.on for spec in registry.rules()),
        messages=_by_week(),
    )


def _told() -> list[Told]:
    found = []
    for alert in Alert.objects.exclude(fired_at=None).order_by("fired_at"):
        sent = Notification.objects.filter(alert=alert, state=Notification.State.SENT).order_by("sent_at")
        rows = list(sent.values_list("sent_at", "message"))
        times = [at for at, _ in rows if at is not None]
        if times:
            messages = frozenset(message for _, message in rows)
            found.append(Told(alert=alert, at=times[0], messages=messages))
    return found


def _is_for(told: Told, trouble: Trouble) -> bool:
    within = trouble.begin <= told.alert.fired_at <= trouble.end + trouble.lasting  # type: ignore[operator]
    return within and told.alert.rule in (*trouble.expects, *trouble.may)


def _by_week() -> tuple[int, ...]:
    rows = Notification.objects.filter(state=Notification.State.SENT).values_list("message", "sent_at")
    first = dict(rows.order_by("-sent_at"))
    weeks = [(at - MONDAY).days // 7 for at in first.values() if at is not None]
    return tuple(weeks.count(week) for week in range(WEEKS))


def written(table: Table, *, days: int) -> Iterable[str]:
    """Yield the lines of the table, in Markdown."""
    yield f"| {' | '.join(_HEADS)} |"
    yield f"|{'---|' * len(_HEADS)}"
    for row in table.rows:
        yield _line(row)
    yield ""
    for one in table.false:
        at = one.at.astimezone(ZONE)
        yield f"- False alarm: {one.alert}, {at:%a %d %b %H:%M}: {one.alert.words} ({one.alert.usual})"
    yield (
        f"False alarms: {len(table.false)}, of {table.rules} rules in {days} days. "
        f"Messages by week: {', '.join(str(number) for number in table.messages)}. "
        f"Alerts that were held because another one explained them: {table.held}."
    )


def _line(row: Row) -> str:
    trouble = row.trouble
    wanted = ", ".join(f"*{name}*" for name in trouble.expects)
    if trouble.key:
        wanted += f", {trouble.key} alone"
    further = sorted({one.alert.rule for one in row.told} - set(trouble.expects))
    also = f" (and *{'*, *'.join(further)}*)" if further else ""
    cells = (
        trouble.title,
        f"{trouble.begin:%a %d %b %H:%M}",
        wanted or "none",
        _came(row) + also,
        "" if row.delay_of_hit is None else _span(row.delay_of_hit),
        "" if row.over is None else _span(row.over),
        str(row.messages),
    )
    return f"| {' | '.join(cells)} |"


def _came(row: Row) -> str:
    if row.delay is None:
        return "**never**" if row.trouble.expects else "–"
    return _span(row.delay)


def _span(length: timedelta) -> str:
    seconds = length.total_seconds()
    if abs(seconds) < 60:
        return "under 1 min"
    sign, minutes = ("−" if seconds < 0 else ""), round(abs(seconds) / 60)
    hours, minutes = divmod(minutes, 60)
    return f"{sign}{hours} h {minutes} min" if hours else f"{sign}{minutes} min"
