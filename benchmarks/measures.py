"""What is measured, section by section; each yields the lines of its table."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from . import instructions
from .quantiles import lowest_decile, median, spread
from .report import REFERENCE_ASSEMBLED_START, REFERENCE_PLAIN, Line
from .workspace import Child, Workspace, children, receiver

MICRO, MILLI, MEGA = 1e6, 1e3, 1e6
VARIANTS = ("bare", "least", "ours", "all")
OURS = ("ours", "all")
#: What people put together by hand, see ``project/peers.py``.
ASSEMBLED = "assembled"
WORDS = {"ours": "defaults", "all": "everything on"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long to look. ``rate`` is the requests a second that deferred work is shared among."""

    rounds: int
    bursts: int
    seconds: float
    rate: float
    paced: float
    starts: int
    settle: float
    repeats: int
    counted: int
    urls: int
    requests: int


FULL = Plan(
    rounds=5,
    bursts=60,
    seconds=0.04,
    rate=100,
    paced=125,
    starts=15,
    settle=8,
    repeats=10,
    counted=500,
    urls=100_000,
    requests=1_000_000,
)
QUICK = Plan(
    rounds=2,
    bursts=12,
    seconds=0.02,
    rate=100,
    paced=6,
    starts=3,
    settle=6,
    repeats=2,
    counted=0,
    urls=2_000,
    requests=10_000,
)

#: What is measured with adapters on and of their peers; in words, and the budget.
ADAPTERS: dict[str, tuple[str, float | None]] = {
    "statsd": ("STATSD", 30.0),
    "statsd by hand": ("  a middleware with the statsd package", None),
    "metrics": ("OPENTELEMETRY, metrics", 30.0),
    "sentry": ("SENTRY", 30.0),
    "sentry alone": ("  sentry-sdk for errors alone", None),
    "logs": ("JSON logs with the request on each record", 30.0),
    "lines": ("  and a line for each request", None),
    "exporters": ("all of these but the line, no traces", 30.0),
    "traces": ("all of these, every request traced", 230.0),
    "opentelemetry": ("  the instrumentation with the SDK's traces and metrics", None),
    ASSEMBLED: ("  statsd, OpenTelemetry and Sentry by hand", None),
}

Key = tuple[str, str]
#: The lowest decile of each round, by variant and what was measured, in seconds per request.
Rounds = dict[tuple[str, Key], list[float]]


class Run:
    """A run: what is to be measured, and what several sections share."""

    def __init__(self, workspace: Workspace, plan: Plan, say: Callable[[str], None]) -> None:
        self.workspace = workspace
        self.plan = plan
        self.say = say
        #: What a plain view takes here over what it took where the budgets were written.
        self.speed = 1.0
        #: CPU seconds of deferred work per request at ``plan.rate``, by variant.
        self.deferred: dict[str, float] = {}

    def bursts(self, keys: list[Key], variants: tuple[str, ...] = VARIANTS, *, thin: bool = False) -> Rounds:
        """Measure views in bursts: A B C A B C, in fresh processes each round."""
        found: Rounds = {(variant, key): [] for variant in variants for key in keys}
        for number in range(self.plan.rounds):
            self.say(f"round {number + 1} of {self.plan.rounds}")
            with children(self.workspace, variants, thin=thin) as processes:
                for key in keys:
                    for variant, costs in self._round(processes, key).items():
                        found[variant, key].append(lowest_decile(costs))
        return found

    def _round(self, processes: list[Child], key: Key) -> dict[str, list[float]]:
        view, interface = key
        for child in processes:
            child.ask("warm", view=view, interface=interface, requests=100)
        found: dict[str, list[float]] = {child.variant: [] for child in processes}
        for _ in range(self.plan.bursts):
            for child in processes:
                burst = child.ask("burst", view=view, interface=interface, seconds=self.plan.seconds)
                found[child.variant].append(burst["process"] / burst["requests"])
        return found


def calibrate(run: Run) -> Iterator[Line]:
    """Learn how fast this machine is."""
    found = run.bursts([("plain", "wsgi")], ("bare",))
    run.speed = median(found["bare", ("plain", "wsgi")]) * MICRO / REFERENCE_PLAIN
    return iter(())


def background(run: Run) -> Iterator[Line]:
    """Measure what the other threads take while requests come in as they do in a server."""
    run.say(f"{run.plan.paced:.0f} s at {run.plan.rate:.0f} requests a second")
    with children(run.workspace, ("bare", *OURS)) as processes:
        for child in processes:
            child.ask("warm", view="plain", interface="wsgi", requests=100)
        for child in processes:
            child.ask("settle", seconds=run.plan.settle)
        # One after the other: what runs at once takes the caches from each other.
        found = {
            child.variant: child.ask("pace", path="/plain/", rate=run.plan.rate, seconds=run.plan.paced)
            for child in processes
        }
    for variant in OURS:
        others = found[variant]["others"] - found["bare"]["others"]
        run.deferred[variant] = others / found[variant]["requests"]
        yield Line(
            section="In the background",
            what=f"threads, {WORDS[variant]}",
            unit="ms/s",
            added=others / run.plan.paced * MILLI,
            note=f"= {run.deferred[variant] * MICRO:.1f} µs a request at {run.plan.rate:.0f} a second",
        )


def requests(views: tuple[str, ...]) -> Callable[[Run], Iterator[Line]]:
    """Return the section that measures these views by both interfaces."""

    def section(run: Run) -> Iterator[Line]:
        keys = [(view, interface) for interface in ("wsgi", "asgi") for view in views]
        found = run.bursts(keys)
        for key in keys:
            yield from _request_lines(run, found, key)
        if "plain" in views:
            thin = run.bursts([("plain", "asgi")], thin=True)
            yield from _request_lines(run, thin, ("plain", "asgi"), ", no other middleware")

    return section


def _request_lines(run: Run, found: Rounds, key: Key, suffix: str = "") -> Iterator[Line]:
    view, interface = key
    bare = found["bare", key]
    least = median(_differences(found["least", key], bare)) * MICRO
    for variant in OURS:
        added = _differences(found[variant, key], bare)
        budgets = {"wsgi": 12.0, "asgi": 40.0} if variant == "ours" else {"wsgi": 30.0}
        failing = view == "error"
        yield Line(
            section="A request that fails (before the response leaves)" if failing else "A request",
            what=f"{view}, {interface.upper()}{suffix}, {WORDS[variant]}",
            unit="µs",
            bare=median(bare) * MICRO,
            added=median(added) * MICRO,
            noise=spread(added) * MICRO,
            least=least,
            budget=(120.0 if interface == "wsgi" else None) if failing else budgets.get(interface),
            scales=True,
        )
        if not failing and variant in run.deferred and interface == "wsgi":
            budget = budgets["wsgi"] * run.speed / MICRO
            yield Line(
                section="A request",
                what=f"  with the background at {run.plan.rate:.0f}/s",
                unit="µs",
                bare=median(bare) * MICRO,
                added=(median(added) + run.deferred[variant]) * MICRO,
                noise=spread(added) * MICRO,
                least=least,
                note=_kept_from(run, budget - median(added), variant),
            )


def _kept_from(run: Run, left: float, variant: str) -> str:
    """Say from which rate on the background fits into what the request leaves of its budget."""
    if left <= 0:
        return ""
    return f"within the budget from {run.deferred[variant] * run.plan.rate / left:.0f} requests a second on"


def failures(run: Run) -> Iterator[Line]:
    """Measure all that a 500 costs: many at once, one alone, and the first of its kind."""
    key = ("error", "wsgi")
    section = "A failure"
    found = run.bursts([key], ("bare", *OURS))
    many: dict[str, list[float]] = {variant: [] for variant in OURS}
    alone: dict[str, list[float]] = {variant: [] for variant in OURS}
    first: dict[str, list[float]] = {variant: [] for variant in ("bare", *OURS)}
    later: dict[str, list[float]] = {variant: [] for variant in OURS}
    with children(run.workspace, ("bare", *OURS)) as processes:
        for child in processes:
            child.ask("warm", view="error", interface="wsgi", requests=100)
        for at in range(run.plan.repeats):
            run.say(f"failures, {at + 1} of {run.plan.repeats}")
            for child in processes:
                first[child.variant] += child.ask("kinds", start=at * 10, stop=at * 10 + 5)["thread"]
            for child in processes[1:]:
                idle = run.deferred.get(child.variant, 0) * run.plan.rate
                many[child.variant].append(_deferred(child, "/broken/", 100, idle))
                alone[child.variant].append(_deferred(child, "/broken/", 1, idle))
                later[child.variant].append(_deferred(child, "/kinds/{}/", 5, idle, number=at * 10 + 5))
    for variant in OURS:
        bare = median(found["bare", key])
        before = median(_differences(found[variant, key], found["bare", key]))
        first_before = median(first[variant]) - median(first["bare"])
        yield Line(
            section=section,
            what=f"one of a hundred in a second, in all, {WORDS[variant]}",
            unit="µs",
            bare=bare * MICRO,
            added=(before + median(many[variant])) * MICRO,
            noise=spread(many[variant]) * MICRO,
            budget=300.0,
            scales=True,
            note=f"{before * MICRO:.0f} of them before the response leaves",
        )
        yield Line(
            section=section,
            what=f"one alone in a second, in all, {WORDS[variant]}",
            unit="µs",
            bare=bare * MICRO,
            added=(before + median(alone[variant])) * MICRO,
            noise=spread(alone[variant]) * MICRO,
        )
        yield Line(
            section=section,
            what=f"the first of its kind, in all, {WORDS[variant]}",
            unit="µs",
            bare=median(first["bare"]) * MICRO,
            added=(first_before + median(later[variant])) * MICRO,
            noise=spread(later[variant]) * MICRO,
            budget=3000.0,
            scales=True,
            note=f"{first_before * MICRO:.0f} of them before the response leaves",
        )


def _deferred(child: Child, path: str, requests: int, idle: float, number: int = 0) -> float:
    """Return what the other threads took for a failure, without what they take anyway."""
    found = child.ask("drained", path=path, requests=requests, number=number)
    return max(found["others"] - idle * found["seconds"], 0) / requests


def adapters(run: Run) -> Iterator[Line]:
    """Measure what each adapter adds to a request, beside what people assemble by hand for the same end."""
    run.say("adapters, and their peers")
    with receiver() as ports:
        os.environ.update(ports)
        found = run.bursts([("plain", "wsgi")], ("bare", "ours", *ADAPTERS))
    bare = found["bare", ("plain", "wsgi")]
    for variant, (words, budget) in ADAPTERS.items():
        added = _differences(found[variant, ("plain", "wsgi")], bare)
        yield Line(
            section="A request with adapters, plain, WSGI",
            what=words,
            unit="µs",
            bare=median(bare) * MICRO,
            added=median(added) * MICRO,
            noise=spread(added) * MICRO,
            budget=budget,
            scales=True,
        )


def step(run: Run) -> Iterator[Line]:
    """Measure a step inside ``atomic()`` beside what it has to do at least."""
    ways = {how: (f"steps/{how}/", "wsgi") for how in ("nothing", "statements", "orm", "record")}
    found = run.bursts(list(ways.values()), ("ours",))
    per_step = {
        how: [
            (cost - base) / 20
            for cost, base in zip(found["ours", key], found["ours", ways["nothing"]], strict=True)
        ]
        for how, key in ways.items()
    }
    for how, words, budget in (
        ("statements", "over its statements", 30.0),
        ("orm", "over the ORM's create()", None),
    ):
        added = _differences(per_step["record"], per_step[how])
        yield Line(
            section="A step inside atomic()",
            what=words,
            unit="µs",
            bare=median(per_step[how]) * MICRO,
            added=median(added) * MICRO,
            noise=spread(added) * MICRO,
            budget=budget,
            scales=True,
        )


def degrade(run: Run) -> Iterator[Line]:
    """Measure ``degrade`` when nothing fails."""
    with children(run.workspace, ("ours",)) as (child,):
        child.ask("warm", view="plain", interface="wsgi", requests=10)
        found = [child.ask("degrade", calls=20_000) for _ in range(max(run.plan.rounds, 3))]
    for how, words in (("decorator", "as a decorator"), ("with", "around a block")):
        costs = [costs[how] for costs in found]
        yield Line(
            section="degrade when nothing fails",
            what=words,
            unit="µs",
            added=median(costs) * MICRO,
            noise=spread(costs) * MICRO,
            budget=2.0,
            scales=True,
        )


def serve_form(run: Run) -> Iterator[Line]:
    """Measure ``serve_form`` when nothing fails."""
    with children(run.workspace, ("ours",)) as (child,):
        child.ask("warm", view="plain", interface="wsgi", requests=10)
        found = [child.ask("serve_form", calls=20_000) for _ in range(max(run.plan.rounds, 3))]
    for method, words in (("get", "a GET"), ("post", "a POST, over its transaction")):
        costs = [costs[method] for costs in found]
        yield Line(
            section="serve_form when nothing fails",
            what=words,
            unit="µs",
            added=median(costs) * MICRO,
            noise=spread(costs) * MICRO,
            budget=5.0,
            scales=True,
        )


def rescue(run: Run) -> Iterator[Line]:
    """Measure what is done before a visitor is told that their submission is kept."""
    with children(run.workspace, ("ours",)) as (child,):
        child.ask("warm", view="plain", interface="wsgi", requests=10)
        child.ask("rescue", calls=5)
        found = [child.ask("rescue", calls=50) for _ in range(max(run.plan.rounds, 3))]
    for how, words in (("database", "kept in the database"), ("spool", "kept in the spool, without one")):
        costs = [lowest_decile(costs[how]["thread"]) for costs in found]
        times = [median(costs[how]["time"]) for costs in found]
        yield Line(
            section="A submission that is kept (before the response leaves)",
            what=words,
            unit="µs",
            added=median(costs) * MICRO,
            noise=spread(costs) * MICRO,
            note=f"and {median(times) * MILLI:.1f} ms by the clock, the disk included",
        )


def startup(run: Run) -> Iterator[Line]:
    """Measure ``django.setup()`` and the first request, in fresh processes."""
    variants = ("bare", *OURS, ASSEMBLED)
    cpu: dict[str, list[float]] = {variant: [] for variant in variants}
    resident: dict[str, list[float]] = {variant: [] for variant in variants}
    environments = {variant: run.workspace.environment(variant) for variant in variants}
    # The first one compiles what has not been compiled.
    for number in range(run.plan.starts + 1):
        run.say(f"start {number} of {run.plan.starts}")
        for variant in variants:
            words = run.workspace.run("benchmarks.startup", environment=environments[variant])
            answer = json.loads(words)
            if number:
                cpu[variant].append(answer["seconds"])
                resident[variant].append(answer["resident"])
    settled = _settled(run, ("bare", *OURS))
    bare = lowest_decile(cpu["bare"])
    peers = (lowest_decile(cpu[ASSEMBLED]) - bare) * MILLI
    for variant in OURS:
        section = f"Start-up, {WORDS[variant]}"
        yield Line(
            section=section,
            what="CPU to the first response",
            unit="ms",
            bare=bare * MILLI,
            added=(lowest_decile(cpu[variant]) - bare) * MILLI,
            noise=(median(cpu["bare"]) - bare) * MILLI,
            # Imports and classes, not requests: it travels with the start of what others take.
            budget=25.0 * peers / REFERENCE_ASSEMBLED_START if variant == "ours" else None,
            note=f"assembled by hand {peers:.0f} ms",
        )
        for words, sizes in (
            ("after the first response", resident),
            ("when the threads have begun", settled),
        ):
            yield Line(
                section=section,
                what=f"memory {words}",
                unit="MB",
                bare=median(sizes["bare"]) / MEGA,
                added=(median(sizes[variant]) - median(sizes["bare"])) / MEGA,
                noise=spread(sizes["bare"]) / MEGA,
                budget=3.0 if variant == "ours" and sizes is resident else None,
            )


def _settled(run: Run, variants: tuple[str, ...]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {variant: [] for variant in variants}
    for _ in range(min(run.plan.starts, 3)):
        with children(run.workspace, variants) as processes:
            for child in processes:
                child.ask("warm", view="plain", interface="wsgi", requests=1)
                child.tell("settle", seconds=run.plan.settle)
            for child in processes:
                found[child.variant].append(child.hear()["resident"])
    return found


def memory(run: Run) -> Iterator[Line]:
    """Measure whether memory stays flat under many URLs and many requests."""
    plan = run.plan
    run.say(f"{plan.urls:,} URLs and {plan.requests:,} requests")
    variants = ("bare", *OURS)
    with children(run.workspace, variants) as processes:
        for child in processes:
            child.ask("load", urls=min(plan.urls, 2000), requests=min(plan.requests, 20_000))
        before = {child.variant: child.ask("settle", seconds=plan.settle) for child in processes}
        after = {}
        for at in range(0, len(processes), 2):
            for child in processes[at : at + 2]:
                child.tell("load", urls=plan.urls, requests=plan.requests)
            for child in processes[at : at + 2]:
                after[child.variant] = child.hear()
        settled = {child.variant: child.ask("settle", seconds=plan.settle) for child in processes}
    for variant in OURS:
        grown = settled[variant]["resident"] - before[variant]["resident"]
        bare = settled["bare"]["resident"] - before["bare"]["resident"]
        peak = after[variant]["after_requests"]["peak"] - before[variant]["peak"]
        objects = settled[variant]["objects"] - before[variant]["objects"]
        yield Line(
            section=f"Memory over {plan.urls:,} URLs and {plan.requests:,} requests",
            what=WORDS[variant],
            unit="MB",
            bare=bare / MEGA,
            added=(grown - bare) / MEGA,
            budget=5.0,
            note=f"peak +{peak / MEGA:.1f} MB, {objects:+,} objects",
        )


def count_start(run: Run) -> Iterator[Line]:
    """Count the instructions of a start: what a busy machine cannot blur."""
    if not run.plan.counted or not instructions.tool():
        return
    run.say(f"instructions of a start, by {instructions.tool()}")
    variants = ("bare", *OURS)
    counts = {variant: instructions.start(run.workspace, variant) for variant in variants}
    for variant in OURS:
        yield Line(
            section=f"Start-up by {instructions.tool()}",
            what=WORDS[variant],
            unit="",
            bare=counts["bare"],
            added=counts[variant] - counts["bare"],
        )


def count(run: Run) -> Iterator[Line]:
    """Count instructions."""
    requests = run.plan.counted
    if not requests or not instructions.tool():
        return
    targets = [("plain", "wsgi"), ("db", "wsgi"), ("error", "wsgi")]
    run.say(f"instructions, by {instructions.tool()}")
    with ThreadPoolExecutor(2) as pool:
        counts = dict(
            zip(
                VARIANTS,
                pool.map(
                    lambda variant: instructions.count(run.workspace, variant, targets, requests), VARIANTS
                ),
                strict=True,
            )
        )
    for target in targets:
        bare = counts["bare"][target].request
        least = counts["least"][target].request - bare
        for variant in OURS:
            found = counts[variant][target]
            deferred = found.deferred
            yield Line(
                section=f"Instructions by {instructions.tool()}",
                what=f"{target[0]}, WSGI, {WORDS[variant]}",
                unit="",
                bare=bare,
                added=found.request - bare,
                least=least,
                budget=40_000 if target[0] == "plain" and variant == "ours" else None,
                note=f"and {deferred / requests:,.0f} later (flush and drain of {requests})"
                if deferred
                else "",
            )


def _differences(costs: list[float], bases: list[float]) -> list[float]:
    return [cost - base for cost, base in zip(costs, bases, strict=True)]


SECTIONS: dict[str, Callable[[Run], Iterator[Line]]] = {
    "background": background,
    "plain": requests(("plain",)),
    "db": requests(("db",)),
    "adapters": adapters,
    "error": requests(("error",)),
    "failures": failures,
    "step": step,
    "degrade": degrade,
    "serve-form": serve_form,
    "rescue": rescue,
    "startup": startup,
    "instructions": count,
    "start-instructions": count_start,
    "memory": memory,
}
