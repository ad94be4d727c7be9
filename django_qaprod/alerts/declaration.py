"""The rules, as they are declared in the host's ``qaprod`` modules. Data alone: ``judging`` judges them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias, TypedDict, Unpack

from .. import registry
from ..exceptions import DeclarationError
from ..journeys import Step
from ..journeys.unknown import UnknownStep
from ..registry import DURATIONS, MOST, SEVERITIES
from ..specs import Measure, RuleSpec
from ..text import clean
from .measures import beats

if TYPE_CHECKING:
    from ..expectations.calendars import IsHoliday
    from ..records import Severity

Watched: TypeAlias = "Step | Measure"
Numbers: TypeAlias = Mapping[str, float | timedelta | None]

_MAX_NAME = 150
_KEEP_FIRING = timedelta(minutes=10)
# What tells apart what is watched; a step has its journey's properties as well, and series what they have.
_APART = {
    "step": ("variant", "browser", "release"),
    "failures": ("name", "kind", "severity", "journey", "error_type", "route", "release", "failure"),
    "requests": ("route", "status", "method", "outcome", "browser"),
    "breaches": ("expectation", "journey", "kind"),
}


class Common(TypedDict, total=False):
    """What every rule takes; ``docs/alerts.md`` explains each."""

    severity: Severity
    by: str
    min_count: int
    for_: timedelta
    keep_firing: timedelta
    hours: Callable[[datetime], bool]
    inhibited_by: tuple[str, ...]
    to: tuple[str, ...]
    runbook: str
    description: str
    on: bool


class Rule:
    """A declared rule. Registers itself.

    Raises ``DeclarationError`` for what cannot be judged, and when another one has the name.
    """

    kind: ClassVar[str] = ""
    #: Whether it can watch a gauge, and whether it can tell apart what it watches.
    reads: ClassVar[bool] = False
    tells_apart: ClassVar[bool] = True

    def __init__(
        self,
        name: str,
        of: Watched,
        numbers: Numbers,
        common: Common,
        *,
        per: Watched | None = None,
        cron: str = "",
        holidays: IsHoliday | None = None,
    ) -> None:
        _refuse(self, name, common)
        measure = self._measure(name, of, common.get("by", ""))
        given = {
            "min_count": common.get("min_count"),
            "for": common.get("for_", timedelta(0)),
            "keep_firing": common.get("keep_firing", _KEEP_FIRING),
        }
        self.spec = RuleSpec(
            name=name,
            kind=self.kind,
            of=measure,
            per=None if per is None else self._measure(name, per, common.get("by", "")),
            numbers=self._numbers(name, {**numbers, **given}, signed=measure.kind == "gauge"),
            by=common.get("by", ""),
            severity=common.get("severity", "error"),
            journey=measure.journey,
            runbook=common.get("runbook", ""),
            description=common.get("description", ""),
            inhibited_by=tuple(common.get("inhibited_by", ())),
            to=tuple(common.get("to", ())),
            hours=common.get("hours"),
            holidays=holidays,
            cron=cron,
            on=common.get("on", True),
        )
        registry.register_rule(self.spec)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.spec.name!r}>"

    def _measure(self, name: str, watched: Any, by: str) -> Measure:
        said = f"{type(self).__name__}({name!r}"
        if isinstance(watched, Step):
            _refuse_by(said, by, "step", (*watched.journey.properties, watched.journey.variant))
            return Measure(kind="step", name=watched.spec.name, journey=watched.journey.name)
        if isinstance(watched, UnknownStep):
            raise watched.refusal
        if not isinstance(watched, Measure):
            raise DeclarationError(
                f"{said}) watches a step of a journey, JobApplication.failures(), or what alerts.requests(), "
                f"failures(), breaches(), gauge() or series() return, not {watched!r}."
            )
        if watched.kind == "gauge" and not self.reads:
            raise DeclarationError(f"{said}) counts, and a gauge is read: Threshold and Trend watch gauges.")
        _refuse_by(said, by, watched.kind)
        return watched

    def _numbers(self, name: str, numbers: Numbers, *, signed: bool) -> dict[str, float]:
        """Return numbers and seconds. Readings may be below zero: the limits of what is ``signed``."""
        found: dict[str, float] = {}
        for key, value in numbers.items():
            if value is None:
                continue
            if isinstance(value, timedelta) != (key in DURATIONS):
                kind = "a timedelta" if key in DURATIONS else "a number"
                raise DeclarationError(f"{type(self).__name__}({name!r}, {key}=…) is {kind}, not {value!r}.")
            limit = signed and key in {"at_least", "at_most", "reaches"}
            found[key] = _number(f"{type(self).__name__}({name!r}, {key}=…)", key, value, signed=limit)
        return found


class Threshold(Rule):
    """Wrong when ``of`` happens ``at_least`` or ``at_most`` so often within ``window``.

    Of a gauge: when its mean in the window is that much or more, or less. A threshold of 1 is first class.
    """

    kind = "threshold"
    reads = True

    def __init__(
        self,
        name: str,
        /,
        *,
        of: Watched,
        at_least: float | None = None,
        at_most: float | None = None,
        window: timedelta = timedelta(minutes=5),
        **common: Unpack[Common],
    ) -> None:
        _either(self, name, at_least=at_least, at_most=at_most)
        if at_least == 0 and getattr(of, "kind", "") != "gauge":
            raise DeclarationError(f"Threshold({name!r}, at_least=0) is always wrong: say from how many on.")
        super().__init__(name, of, {"at_least": at_least, "at_most": at_most, "window": window}, common)


class Ratio(Rule):
    """Wrong when the share ``of`` is ``above`` or ``below``, once there are ``min_count`` of ``per``."""

    kind = "ratio"

    def __init__(
        self,
        name: str,
        /,
        *,
        of: Watched,
        per: Watched,
        above: float | None = None,
        below: float | None = None,
        window: timedelta = timedelta(hours=1),
        **common: Unpack[Common],
    ) -> None:
        _either(self, name, above=above, below=below)
        _share(self, name, "above", above, least=True)
        _share(self, name, "below", below, most=True)
        given: Common = {"min_count": 20, **common}
        super().__init__(name, of, {"above": above, "below": below, "window": window}, given, per=per)


class Absence(Rule):
    """Wrong when ``of`` has not happened for as long as ``window``; only while ``hours`` go on, if given."""

    kind = "absence"
    tells_apart = False

    def __init__(self, name: str, /, *, of: Watched, window: timedelta, **common: Unpack[Common]) -> None:
        super().__init__(name, of, {"window": window}, common)


class Heartbeat(Rule):
    """Wrong when what runs ``every`` so often, or when ``cron`` says, has not ended ``grace`` later.

    It is told by the step ``of``, or by ``manage.py qaprod_beat NAME -- command``.
    """

    kind = "heartbeat"
    tells_apart = False

    def __init__(
        self,
        name: str,
        /,
        *,
        every: timedelta | None = None,
        cron: str = "",
        grace: timedelta = timedelta(minutes=5),
        of: Watched | None = None,
        **common: Unpack[Common],
    ) -> None:
        _either(self, name, every=every, cron=cron or None)
        if cron:
            from .cron import Cron

            Cron(cron)
        super().__init__(
            name, of if of is not None else beats(name), {"every": every, "grace": grace}, common, cron=cron
        )


class BurnRate(Rule):
    """Wrong when ``of`` takes the errors that ``objective`` allows of ``per`` within ``period`` too fast.

    By several windows and rates: Google's SRE Workbook, chapter 5, "Multiwindow, Multi-Burn-Rate Alerts".
    """

    kind = "burn_rate"

    def __init__(
        self,
        name: str,
        /,
        *,
        of: Watched,
        per: Watched,
        objective: float,
        period: timedelta = timedelta(days=30),
        **common: Unpack[Common],
    ) -> None:
        _share(self, name, "objective", objective)
        _refuse_period(name, period)
        given: Common = {"min_count": 20, **common}
        super().__init__(name, of, {"objective": objective, "period": period}, given, per=per)


class OutOfSync(Rule):
    """Wrong when ``other`` is less than ``at_least`` (a share) of ``one``, counted to ``within`` ago.

    ``one`` counts in a window that ended ``within`` ago, ``other`` in the same one and until now, so that
    what is on its way is no fault. For counts that no subject joins; for others there is ``Expectation``.
    """

    kind = "out_of_sync"

    def __init__(
        self,
        name: str,
        /,
        *,
        one: Watched,
        other: Watched,
        within: timedelta,
        at_least: float = 1.0,
        window: timedelta = timedelta(hours=1),
        **common: Unpack[Common],
    ) -> None:
        _share(self, name, "at_least", at_least, most=True)
        given: Common = {"min_count": 1, **common}
        numbers: Numbers = {"within": within, "at_least": at_least, "window": window}
        super().__init__(name, other, numbers, given, per=one)


class Dip(Rule):
    """Wrong when there are fewer ``of`` than at the same hours of the weeks before, and it is not chance.

    ``once_in_days`` says how rare it has to be: chance alone tells of a dip once in that time. Without
    ``window`` the windows are chosen by how many there usually are. ``holidays``, a country's code as
    ``"GB-ENG"`` or a function of a date, are neither learnt from nor missed.
    """

    kind = "dip"

    def __init__(
        self,
        name: str,
        /,
        *,
        of: Watched,
        window: timedelta | None = None,
        once_in_days: float = 365.0,
        weeks: int = 8,
        holidays: str | IsHoliday = "",
        **common: Unpack[Common],
    ) -> None:
        numbers: Numbers = {"window": window, "once_in_days": once_in_days, "weeks": weeks}
        super().__init__(name, of, numbers, common, holidays=_holidays(holidays))


class Trend(Rule):
    """Wrong when a gauge ``reaches`` a limit ``within`` a time, if it goes on as it did in ``window``."""

    kind = "trend"
    reads = True

    def __init__(
        self,
        name: str,
        /,
        *,
        of: Measure,
        reaches: float,
        within: timedelta,
        window: timedelta | None = None,
        **common: Unpack[Common],
    ) -> None:
        given: Numbers = {"reaches": reaches, "within": within, "window": window}
        super().__init__(name, of, given, common)
        if self.spec.of.kind != "gauge":
            raise DeclarationError(f'Trend({name!r}, of=…) is a gauge: of=alerts.gauge("…").')


def _holidays(given: str | IsHoliday) -> IsHoliday | None:
    if not given:
        return None
    from ..expectations.calendars import Calendar

    return Calendar(days=range(7), holidays=given).is_off


def _number(said: str, key: str, value: Any, *, signed: bool) -> float:
    number = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not math.isfinite(number):
        raise DeclarationError(f"{said} is a number, not {value!r}.")
    if (number < 0 and not signed) or (number == 0 and key in {"window", "within", "every", "period"}):
        raise DeclarationError(f"{said} is above zero, not {value!r}.")
    if number > (most := MOST.get(key, math.inf)):
        words = f"{most / 86400:.0f} days" if key in DURATIONS else f"{most:.0f}"
        raise DeclarationError(f"{said} is at most {words}, not {value!r}.")
    return float(number)


def _share(rule: Rule, name: str, key: str, value: Any, *, least: bool = False, most: bool = False) -> None:
    """Refuse what is no share; ``least`` allows none of them, ``most`` all."""
    if value is None:
        return
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not (0 < value < 1 or (least and value == 0) or (most and value == 1)):
        example = f": 5% is {key}=0.05" if key != "objective" else " as 0.999"
        raise DeclarationError(
            f"{type(rule).__name__}({name!r}, {key}=…) is a share between 0 and 1{example}, not {value!r}."
        )


def _refuse_period(name: str, period: Any) -> None:
    # For who declares one: other starts are spared it.
    from ..budgets import LEAST_PERIOD

    if not isinstance(period, timedelta) or period.total_seconds() < LEAST_PERIOD:
        raise DeclarationError(
            f"BurnRate({name!r}, period=…) is a timedelta of three days or more, not {period!r}."
        )


def _refuse_by(said: str, by: str, kind: str, further: Iterable[str] = ()) -> None:
    known = [*_APART.get(kind, ()), *(one for one in further if one)]
    if by and known and by not in known:
        raise DeclarationError(f"{said}, by=…) is one of {', '.join(dict.fromkeys(known))}, not {by!r}.")


def _either(rule: Rule, name: str, **given: object) -> None:
    if sum(value is not None for value in given.values()) != 1:
        raise DeclarationError(f"{type(rule).__name__}({name!r}) takes one of {' and '.join(given)}.")


def _refuse(rule: Rule, name: Any, common: Mapping[str, Any]) -> None:
    said = f"{type(rule).__name__}({name!r}"
    # One with a NUL or half a character could never be stored.
    if not isinstance(name, str) or not 0 < len(name) <= _MAX_NAME or clean(name) != name:
        raise DeclarationError(
            f"A rule has a name of at most {_MAX_NAME} characters that can be stored, not {name!r}."
        )
    if unknown := sorted(common.keys() - Common.__annotations__.keys()):
        raise DeclarationError(f"{said}): there is no option {unknown[0]!r}.")
    if common.get("severity", "error") not in SEVERITIES:
        raise DeclarationError(f"{said}, severity=…) is one of {', '.join(SEVERITIES)}.")
    for key in ("to", "inhibited_by"):
        if isinstance(common.get(key), str):
            raise DeclarationError(f'{said}, {key}=…) is a tuple of names: {key}=("{common[key]}",)')
    if name in common.get("inhibited_by", ()):
        raise DeclarationError(f"{said}, inhibited_by=…) are other rules: it would never be told.")
    if not isinstance(by := common.get("by", ""), str):
        raise DeclarationError(f'{said}, by=…) is a name, as by="browser", not {by!r}.')
    if by and not rule.tells_apart:
        raise DeclarationError(f"{said}, by=…): it tells nothing apart. Declare one for each.")
    hours = common.get("hours")
    if hours is not None and not callable(hours):
        raise DeclarationError(f"{said}, hours=…) is WorkingHours(…) or a function of a moment.")
