"""Whatever form, whatever view, whatever fails: the form is served, and nothing confirmed is lost.

Bounded in a normal run; ``QAPROD_PROPERTY_EXAMPLES=20000`` looks longer.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError, connection
from django.http import HttpResponse
from django.test import AsyncClient, Client
from django.test.utils import override_settings
from django.urls import clear_url_caches, path
from hypothesis import HealthCheck, event, given, note
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pytest_django import Settings

from django_qaprod import vault
from django_qaprod.forms import queue, replaying, rescue, waiting
from django_qaprod.models import RescuedSubmission, SubmissionVersion
from django_qaprod.pipeline import guard, spool
from django_qaprod.sent import Submission, unpack
from django_qaprod.store import submissions
from django_qaprod.testing import Records, capture_records
from tests.project.shop.models import Order

from . import stormy
from .kept import KEY
from .stormy import BACK, CARD, ERRORS, FIELDS, PASSWORD, PRIVATE, STORED, THANKS, Host, Typed

pytestmark = pytest.mark.django_db(databases="__all__", transaction=True)

EXAMPLES = int(os.environ.get("QAPROD_PROPERTY_EXAMPLES", "120"))
#: What may be caught inside us without a visitor noticing: that the database does not keep it, and who it is.
#: Errors that cannot be shown are shown as such.
EXPECTED = {"rescue.database", "forms.resent", "identity", "session", "forms.session", "messages"}

#: Everything of the host's that can fail, and what we need to keep something.
HOST_PLACES = (
    *("before", "inside", "after", "commit", "lost", "hook", "page", "session", "message", "messages"),
    *("processor", "template", "context", "initial", "subject", "thanks", "statement", "dead"),
    *("form", "clean", "field", "widget", "choices", "outer", "behind", "rubbish", "handled"),
)
WORK_PLACES = ("inside", "after", "commit", "lost", "hook", "page", "dead", "behind", "rubbish", "handled")
RESCUE_PLACES = ("keys", "refused", "full")

urlpatterns = [path("form/", lambda request: HttpResponse())]
for target in (STORED, THANKS):
    urlpatterns += [path(target[1:], lambda request: HttpResponse("thank you"))]

_words = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "N", "Z")) | st.sampled_from("<>&\"' {}%"),
    min_size=1,
    max_size=20,
)


@dataclass(frozen=True, kw_only=True)
class Click:
    """One time that something is sent, or asked for; what fails, and how; the how-many-th statement."""

    faults: Mapping[str, str]
    statement: int


@dataclass(frozen=True, kw_only=True)
class Case:
    """A host, what a visitor does, and what goes wrong."""

    host: Host
    atomic_requests: bool
    method: str
    number: str
    valid: bool
    typed: tuple[tuple[str, str], ...]
    file: bytes
    clicks: tuple[Click, ...]

    @property
    def data(self) -> dict[str, Any]:
        data: dict[str, Any] = {"csrfmiddlewaretoken": "t" * 64}
        for name, value in self.pairs:
            data.setdefault(name, []).append(value)
        if "cv" in self.host.kinds:
            data[f"{self.host.prefix}cv"] = SimpleUploadedFile('c"v\r\n.pdf', self.file, "application/pdf")
        return data

    @property
    def pairs(self) -> list[tuple[str, str]]:
        pairs = [
            (f"{self.host.prefix}{name}", value) for name, value in (("number", self.number), *self.typed)
        ]
        if self.host.rows:
            pairs += [("form-TOTAL_FORMS", str(self.host.rows)), ("form-INITIAL_FORMS", "0")]
        return pairs

    def is_private(self, name: str) -> bool:
        return name.removeprefix(self.host.prefix) in PRIVATE


@st.composite
def clicks(draw: st.DrawFn, kinds: list[str]) -> Click:
    # Many at once hide those that come later from view.
    places = draw(
        st.sampled_from(WORK_PLACES).map(lambda place: {place})
        | st.sets(st.sampled_from(HOST_PLACES), max_size=4)
    )
    places = places | draw(st.just(set()) | st.sets(st.sampled_from(RESCUE_PLACES), max_size=3))
    errors = {place: draw(st.sampled_from(kinds)) for place in sorted(places)}
    return Click(faults=errors, statement=draw(st.integers(1, 8)))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    view = draw(st.sampled_from(("function", "late", "class", "async", "nested")))
    host = Host(
        kinds=tuple(draw(st.lists(st.sampled_from(sorted(FIELDS)), unique=True, max_size=5))),
        model=draw(st.booleans()),
        rows=draw(st.sampled_from((0, 0, 2))),
        view=view,
        atomic=draw(st.booleans()) if view != "async" else True,
        with_template=draw(st.booleans()),
        thanks=draw(st.booleans()),
        says=draw(st.booleans()),
    )
    valid = draw(st.sampled_from((True, True, True, False)))
    # A StopIteration that a thread hands to asyncio is never heard of again, whoever serves the view.
    errors = [error for error in sorted(ERRORS) if error != "stop" or view != "async"]
    return Case(
        host=host,
        atomic_requests=view != "async" and draw(st.booleans()),
        method=draw(st.sampled_from(("GET", "HEAD", "POST", "POST", "POST", "POST"))),
        # Too long for its field.
        number="n" * draw(st.integers(1, 40)) if valid else "n" * 41,
        valid=valid,
        typed=tuple((name, value) for kind in host.kinds for name, value in draw(_typed(kind))),
        file=draw(st.binary(min_size=1, max_size=50)),
        clicks=tuple(draw(st.lists(clicks(errors), min_size=1, max_size=3))),
    )


def _typed(kind: str) -> st.SearchStrategy[list[tuple[str, str]]]:
    """What is typed into a field of a kind; valid, so that it is known what becomes of it."""
    return {
        "text": _words.map(lambda text: [("text", text)]),
        "letter": _words.map(lambda text: [("letter", f"\n{text}")]),
        "note": st.just([("note", f"charge {CARD} please")]),
        "fragile": _words.map(lambda text: [("fragile", text)]),
        "region": st.just([("region", "south")]),
        "regions": st.just([("regions", "north"), ("regions", "south")]),
        "account": st.just([("account", "{existing}")]),
        "accounts": st.just([("accounts", "{existing}")]),
        "amount": st.just([("amount", "12.50")]),
        "agreed": st.just([("agreed", "on")]),
        "meeting": st.just([("meeting_0", "2030-01-02"), ("meeting_1", "10:11:12")]),
        "born": st.just([("born_year", "1991"), ("born_month", "2"), ("born_day", "3")]),
        "cv": st.just([]),
        "login": st.just([("login", PASSWORD)]),
        "login_needed": st.just([("login_needed", PASSWORD)]),
        "payment": st.just([("payment", CARD)]),
    }[kind]


@pytest.fixture
def storm(settings: Settings, tmp_path: Path) -> Iterator[Path]:
    """The host of ``stormy`` in production; the spool's directory."""
    settings.ROOT_URLCONF = __name__
    settings.SESSION_ENGINE = stormy.__name__
    settings.MESSAGE_STORAGE = f"{stormy.__name__}.Messages"
    backend = {**settings.TEMPLATES[0], "APP_DIRS": False}
    backend["OPTIONS"] = {
        "context_processors": [*backend["OPTIONS"]["context_processors"], f"{stormy.__name__}.processor"],
        "loaders": [
            ("django.template.loaders.locmem.Loader", stormy.PAGES),
            "django.template.loaders.app_directories.Loader",
        ],
    }
    settings.TEMPLATES = [backend]
    yield tmp_path / "spool"
    stormy.faults.clear()
    spool.forget_directory()
    clear_url_caches()


class World:
    """What is left behind by a case: rows, files, logs, records."""

    def __init__(self, case: Case, path: Path) -> None:
        self.case = case
        self.path = path
        self.logged = _Lines()
        self.recorded: list[Records] = []
        #: Numbers of statements that were tried after the database had failed.
        self.asked_again = 0
        self.written: list[str] = []
        #: How often the view has done it by itself.
        self.taken = 0
        #: Whether the visitor was told at last that it was kept.
        self.confirmed = False
        #: Cookies go from one click to the next.
        self.session = _session()
        self.client = (AsyncClient if case.host.view == "async" else Client)(raise_request_exception=False)

    @property
    def effects(self) -> int:
        return Order.objects.filter(number=self.case.number).count()

    def kept(self) -> dict[str, tuple[Submission, str]]:
        """What is kept, by idempotency key, and its doubt."""
        versions = SubmissionVersion.objects.select_related("submission")
        kept = {
            one.submission.key: (unpack(vault.decrypt(bytes(one.content))), one.submission.in_doubt)
            for one in versions
        }
        for file in (self.path / waiting.FOLDER).glob("*"):
            new = waiting.decode(file.read_bytes())
            kept[new.key] = unpack(vault.decrypt(new.content)), new.in_doubt
        return kept

    @contextmanager
    def faults(self, click: Click) -> Iterator[None]:
        """Have everything fail that is to, for one request."""
        places = click.faults
        options: dict[str, Any] = {"SPOOL_DIR": str(self.path), "RERAISE": False, "RESCUE_KEYS": [KEY]}
        if "keys" in places:
            options["RESCUE_KEYS"] = []
        if "full" in places:
            options["RESCUE_SPOOL_MAX_BYTES"] = 0
        with ExitStack() as stack:
            stack.enter_context(override_settings(QAPROD=options))
            spool.forget_directory()
            waiting._measured.clear()
            production = stack.enter_context(pytest.MonkeyPatch.context())
            production.setattr(rescue, "in_test_run", lambda: False)
            stack.enter_context(connection.execute_wrapper(self._statement(click)))
            if "refused" in places:
                patch = stack.enter_context(pytest.MonkeyPatch.context())
                patch.setattr(submissions, "save", _refuse(places["refused"]))
            if "lost" in places:
                stack.callback(stormy.commit_and_lose())
            stormy.faults.clear()
            stormy.faults.update(places)
            try:
                yield
            finally:
                stormy.faults.clear()

    def _statement(self, click: Click) -> Any:
        left, failed = click.statement, False

        def execute(run: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            nonlocal left, failed
            left -= 1
            if failed and "dead" in click.faults:
                # What ends a savepoint waits for nothing: the connection is known to be gone.
                self.asked_again += not sql.startswith("ROLLBACK TO")
                raise OperationalError("still away")
            if left == 0 and ("dead" in click.faults or "statement" in click.faults):
                failed = True
                raise OperationalError("server closed the connection unexpectedly")
            if sql.startswith(("INSERT", "UPDATE", "DELETE")):
                self.written.append(sql)
            return run(sql, params, many, context)

        return execute

    def send(self, click: Click) -> HttpResponse:
        """Do what the visitor does, once."""
        case = self.case
        self.client.cookies["sessionid"] = self.session
        call = getattr(self.client, case.method.lower())
        if case.host.view == "async":
            call = async_to_sync(call)
        with _atomic_requests(on=case.atomic_requests), capture_records() as found, self.faults(click):
            self.recorded.append(found)
            self.written.clear()
            return call("/form/", case.data if case.method == "POST" else {})


class _Lines(logging.Handler):
    """Everything that is logged, tracebacks included."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.lines.append(self.format(record))
        except RuntimeError:
            # An error that cannot be shown.
            self.lines.append(record.getMessage())


def _refuse(error: str) -> Any:
    def save(*args: Any, **kwargs: Any) -> str:
        failing = ERRORS[error]()
        raise failing

    return save


def _session() -> str:
    store = stormy.SessionStore()
    store["cart"] = 7
    store.save()
    return str(store.session_key)


@contextmanager
def _atomic_requests(*, on: bool) -> Iterator[None]:
    before = connection.settings_dict["ATOMIC_REQUESTS"]
    connection.settings_dict["ATOMIC_REQUESTS"] = on
    try:
        yield
    finally:
        connection.settings_dict["ATOMIC_REQUESTS"] = before


@contextmanager
def _served(case: Case, path_: Path) -> Iterator[World]:
    """Put the case's view behind its route, in an empty world."""
    urlpatterns[0] = path("form/", case.host.made(), name="form")
    clear_url_caches()
    shutil.rmtree(path_, ignore_errors=True)
    for model in (RescuedSubmission, Order, LogEntry):
        model.objects.all().delete()
    world = World(case, path_)
    guard.take()
    logging.getLogger().addHandler(world.logged)
    try:
        with override_settings(QAPROD={"RESCUE_KEYS": [KEY], "SPOOL_DIR": str(path_), "RERAISE": False}):
            yield world
    finally:
        logging.getLogger().removeHandler(world.logged)


@hypothesis_settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(case=cases())
def test_nothing_that_fails_costs_the_form_or_what_was_typed(case: Case, storm: Path) -> None:
    with _served(case, storm) as world:
        existing = Order.objects.create(number="existing").pk
        case = _with_existing(case, existing)
        world.case = case
        for click in case.clicks:
            before = world.effects, Order.objects.count()
            response = world.send(click)
            note(f"{click} -> {response.status_code} {response.get('Location', '')}")
            event(f"{case.method} {response.status_code}")
            if case.method == "POST":
                _check_post(world, click, response, before[0])
            else:
                _check_get(world, response, before[1])
            _check_ourselves(world, click)
        _check_secrets(world)
        _check_replays(world)


def _with_existing(case: Case, pk: int) -> Case:
    typed = tuple((name, value.replace("{existing}", str(pk))) for name, value in case.typed)
    return Case(**{**vars_of(case), "typed": typed})


def vars_of(case: Case) -> dict[str, Any]:
    return {name: getattr(case, name) for name in Case.__dataclass_fields__}


def _check_get(world: World, response: HttpResponse, orders: int) -> None:
    assert response.status_code == 200
    if world.case.method == "GET":
        assert f"{world.case.host.prefix}number" in Typed(response.content.decode()).names
    assert not world.written
    assert Order.objects.count() == orders
    assert not world.kept()


def _check_post(world: World, click: Click, response: HttpResponse, effects: int) -> None:
    case, done = world.case, world.effects - effects
    status, target = response.status_code, response.get("Location", "")
    if case.host.transactional:
        assert done in {0, 2}, "half of the work was left"
    if status == 302 and target == STORED:
        assert done == 2, "the view said that it was stored"
        world.taken += 1
        world.confirmed = False
        # What fails while it is given up is no reason to fail for the visitor.
        if not {"statement", "dead"} & set(click.faults):
            sure = RescuedSubmission.objects.filter(state=RescuedSubmission.State.WAITING, in_doubt="")
            assert not sure.exists(), "what may have been taken waits without doubt"
    elif status == 302 and target == BACK:
        assert not done, "what was refused was done"
        assert "handled" in click.faults
    elif status == 202 or (status == 302 and target == THANKS):
        world.confirmed = True
        _check_kept(world, done)
    elif status == 200:
        refused = "refused" in click.faults.values()
        assert not case.valid or refused, "what is valid is neither stored nor kept"
        assert done == 0
        _check_page(case, response)
    else:
        assert status == 503, status
        assert response["Retry-After"]
        # Done, with nobody left who could know of it: whatever is sent again is another one.
        world.taken += done > 0
        assert not _could_be_kept(case, click), "it could have been kept"
        _check_page(case, response)
    if RescuedSubmission.objects.filter(state=RescuedSubmission.State.DISCARDED).exists():
        assert case.host.says, "it was given up on a guess"
        # Also where its COMMIT was done although its answer was lost.
        assert world.effects, "it was given up, and not taken"
        # What was done is not lost, whatever was said of it.
        world.confirmed = world.confirmed and not (done and status == 503)


def _check_kept(world: World, done: int) -> None:
    kept = list(world.kept().values())
    # Those of which it is not known yet who it was are told apart.
    assert 1 <= len(kept) <= 2
    if done:
        assert any(doubt for _, doubt in kept), "what may have taken effect is in doubt"
    for submission, _ in kept:
        _check_content(world, submission)


def _check_content(world: World, submission: Submission) -> None:
    expected = [(name, value) for name, value in world.case.pairs if not world.case.is_private(name)]
    expected = [(name, value.replace(CARD, "[card]")) for name, value in expected]
    masked = [
        (name, "charge [card] please" if name.endswith("note") else value)
        for name, value in submission.fields
    ]
    assert sorted(masked) == sorted(expected)
    files = [(one.field, one.content) for one in submission.files]
    assert files == (
        [(f"{world.case.host.prefix}cv", world.case.file)] if "cv" in world.case.host.kinds else []
    )
    for name, _ in world.case.pairs:
        if world.case.is_private(name):
            assert name in submission.withheld


def _could_be_kept(case: Case, click: Click) -> bool:
    """Whether there is nothing that keeps us from keeping it."""
    places = click.faults
    if "keys" in places or "login_needed" in case.host.kinds:
        return False
    if "full" not in places:
        return True
    outage = any(error in {"outage", "interface", "group"} for error in places.values())
    return not (outage or {"refused", "statement", "dead", "lost", "commit"} & set(places))


def _check_page(case: Case, response: HttpResponse) -> None:
    page = Typed(response.content.decode())
    assert PASSWORD not in response.content.decode()
    for name, value in case.pairs:
        if PASSWORD not in value:
            # One that became free text holds all that was typed into it.
            shown = [text for key, text in page.pairs if name == key or name.startswith(f"{key}_")]
            assert any(value in text for text in shown), f"{name} is lost"


def _check_ourselves(world: World, click: Click) -> None:
    tally = guard.take()
    assert tally is None or set(tally.errors) <= EXPECTED, tally
    if "refused" not in click.faults:
        assert world.asked_again == 0, "a database that had failed was asked again"


def _check_replays(world: World) -> None:
    """Replay all that is not in doubt, several times: nothing is left, and nothing was done twice."""
    case, before = world.case, world.effects
    kept = world.kept()
    waiting.Collector(world.path).collect()
    assert RescuedSubmission.objects.count() == bool(kept), "the same visitor's is kept once"
    assert not RescuedSubmission.objects.filter(version=0).exists()
    if world.confirmed:
        given_up = RescuedSubmission.objects.filter(state=RescuedSubmission.State.DISCARDED)
        assert not given_up.exists(), "what was confirmed at last is lost"
    with _atomic_requests(on=case.atomic_requests), capture_records() as found:
        world.recorded.append(found)
        for _ in range(2):
            waits = list(RescuedSubmission.objects.values_list("pk", flat=True))
            queue.ask(waits, who="ann")
            queue.ask(waits, who="bob")
            queue.work()
            # Another worker, who had looked for them before.
            assert not any(replaying.replay(pk) for pk in waits)
    for rescued in RescuedSubmission.objects.all():
        # What was sent without something that its form does not need is taken.
        done = RescuedSubmission.State.REPLAYED if case.valid and not rescued.in_doubt else "waiting"
        if rescued.state == RescuedSubmission.State.DISCARDED:
            continue
        assert rescued.state == done, list(rescued.acts.values_list("outcome", "why"))
    replayed = RescuedSubmission.objects.filter(state=RescuedSubmission.State.REPLAYED).count()
    assert world.effects - before == 2 * replayed
    if not world.taken and replayed:
        assert world.effects == 2, "it was done twice"


def _check_secrets(world: World) -> None:
    everywhere = [
        *world.logged.lines,
        *(repr(found.failures) for found in world.recorded),
        *(repr(asdict(submission)) for submission, _ in world.kept().values()),
        *(repr(row) for row in RescuedSubmission.objects.values_list()),
    ]
    for text in everywhere:
        assert PASSWORD not in text
        assert CARD not in text
