"""Who it was, where no database could tell: their session is asked when there is one again, and only then."""

from __future__ import annotations

import math
import sys
import types
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.core.cache import cache
from django.db import OperationalError, connections
from django.test import Client

from django_qaprod import vault
from django_qaprod.forms import recognising, rescue, waiting
from django_qaprod.forms.replaying import replay
from django_qaprod.forms.signals import submission_rescued
from django_qaprod.models import RescuedSubmission, SubmissionAct, SubmissionVersion
from django_qaprod.pipeline import guard
from django_qaprod.pipeline.identity import hashed
from django_qaprod.sent import Submission, unpack
from django_qaprod.store import replays, submissions
from django_qaprod.store.submissions import NewSubmission
from tests.recorded import records as records

from . import replay_host as host
from .kept import new, sent

pytestmark = [
    pytest.mark.django_db(databases="__all__", transaction=True),
    pytest.mark.usefixtures("records"),
]


@pytest.fixture(autouse=True)
def _site(keys: Path, settings: Any) -> Iterator[None]:
    settings.QAPROD = {**settings.QAPROD, "RERAISE": False}
    settings.ROOT_URLCONF = "tests.forms.replay_host"
    host.seen.clear()
    host.behave.clear()
    yield
    host.behave.clear()
    cache.clear()


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada", password="before")


def back(ada: User | None) -> Client:
    """A visitor who has been here before, and has signed in or not."""
    client = Client()
    if ada is not None:
        client.force_login(ada)
    session = client.session
    session["basket"] = [1]
    session.save()
    client.cookies["sessionid"] = session.session_key
    return client


def send(client: Client, **more: str) -> None:
    """Send a form while no database answers."""

    def dead(*args: object) -> None:
        raise OperationalError("the server is away")

    with ExitStack() as stack:
        for connection in connections.all():
            stack.enter_context(connection.execute_wrapper(dead))
        host.behave["before"] = OperationalError("the server is away")
        assert client.post("/order/", {"number": "N-1", **more}).status_code == 202
    host.behave.clear()
    guard.take()


def in_the_spool(path: Path) -> NewSubmission:
    [file] = (path / waiting.FOLDER).iterdir()
    return waiting.decode(file.read_bytes())


def in_the_database() -> Submission:
    return unpack(vault.decrypt(bytes(SubmissionVersion.objects.get().content)))


def test_who_sends_it_once_more_with_the_database_back_is_known(keys: Path, ada: User) -> None:
    client = back(ada)
    send(client, csrfmiddlewaretoken="t" * 64)
    host.behave["before"] = ValueError("a bug")
    sent = {"number": "N-1", "csrfmiddlewaretoken": "t" * 64}
    assert client.post("/order/", sent).status_code == 202
    host.behave.clear()
    assert in_the_spool(keys).key != RescuedSubmission.objects.get().key
    waiting.collect(keys)
    assert RescuedSubmission.objects.get().user == str(ada.pk)
    assert not list((keys / waiting.FOLDER).iterdir())


@pytest.mark.parametrize("engine", ["db", "cached_db", "cache", "file", "signed_cookies"])
def test_their_session_tells(engine: str, keys: Path, tmp_path: Path, ada: User, settings: Any) -> None:
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{engine}"
    settings.SESSION_FILE_PATH = str(tmp_path)
    client = back(ada)
    if engine == "cached_db":
        cache.clear()
    before = dict(client.session.items())
    send(client)
    assert in_the_spool(keys).in_doubt == "visitor"
    assert waiting.collect(keys) == 1
    known, row = in_the_database(), RescuedSubmission.objects.get()
    assert (known.user, known.user_unknown, known.session) == (str(ada.pk), False, {"basket": [1]})
    assert known.withheld == ()
    assert (row.user, row.in_doubt) == (str(ada.pk), "")
    assert guard.take() is None
    assert replays.ask([row.pk], who="staff") == 1
    outcome = replay(row.pk)
    assert outcome is not None
    assert outcome.outcome == "succeeded"
    assert (host.seen[0].user, host.seen[0].session["basket"]) == (ada, [1])
    assert dict(client.session.items()) == before


def test_an_anonymous_visitor_is_known_as_such(keys: Path) -> None:
    send(back(None))
    waiting.collect(keys)
    known = in_the_database()
    assert (known.user, known.user_unknown, known.session) == ("", False, {"basket": [1]})
    assert RescuedSubmission.objects.get().in_doubt == ""


def test_beside_it_stands_what_may_be_known_of_users(keys: Path, ada: User, settings: Any) -> None:
    settings.QAPROD = {**settings.QAPROD, "USER_IDS": "hash"}
    send(back(ada))
    waiting.collect(keys)
    assert RescuedSubmission.objects.get().user == hashed(str(ada.pk))
    assert in_the_database().user == str(ada.pk)


@pytest.mark.parametrize("ended", ["logout", "password", "inactive"])
def test_a_session_that_has_ended_tells_nobody(ended: str, keys: Path, ada: User) -> None:
    client = back(ada)
    send(client)
    if ended == "logout":
        client.logout()
    elif ended == "password":
        ada.set_password("another")
        ada.save()
    else:
        User.objects.update(is_active=False)
    assert waiting.collect(keys) == 1
    known, row = in_the_database(), RescuedSubmission.objects.get()
    assert (known.user, known.user_unknown) == ("", True)
    assert (row.user, row.in_doubt) == ("", "visitor")
    assert known.fields == (("number", "N-1"),)
    assert guard.take() is None


class _Dead(SessionStore):
    """A session store that fails while its database is well, as a cache may."""

    def load(self) -> dict[str, Any]:
        if host.behave.get("dead session"):
            raise ConnectionError("the session store is away")
        return super().load()


@pytest.fixture
def dying(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session store that is dead while ``behave`` says so; submissions are kept as in production."""
    module = types.ModuleType("sessions_of_a_test")
    module.SessionStore = _Dead  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sessions_of_a_test", module)
    settings.SESSION_ENGINE = "sessions_of_a_test"
    monkeypatch.setattr(rescue, "in_test_run", lambda: False)


def test_with_the_session_store_dead_it_waits_for_that_alone(
    keys: Path, ada: User, dying: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is well, and takes what somebody else sends; the store is asked for one at a time."""
    client, other = back(ada), back(ada)
    host.behave["dead session"] = True
    for one, number in ((client, "N-1"), (other, "N-2")):
        assert one.post("/order/", {"number": number}).status_code == 202
    waiting.write(keys, new("another"))
    collector = waiting.Collector(keys)
    guard.take()
    assert collector.collect() == 1
    tally = guard.take()
    assert tally is not None
    assert tally.errors == {"rescue.session": 1}
    assert RescuedSubmission.objects.get().key == "another"
    assert collector.collect() == 0
    assert guard.take() is None, "not asked again at once"
    host.behave.clear()
    collector._ask_at = 0.0
    assert collector.collect() == 2
    rows = RescuedSubmission.objects.exclude(key="another")
    assert {(row.user, row.in_doubt) for row in rows} == {(str(ada.pk), "")}
    assert replays.ask([row.pk for row in rows], who="staff") == 2
    for row in rows:
        outcome = replay(row.pk)
        assert outcome is not None
        assert outcome.outcome == "succeeded"
    assert host.seen[-1].session["basket"] == [1]


@pytest.mark.parametrize("ask", [True, False])
def test_a_session_store_that_is_dead_for_long_tells_nobody(
    ask: bool, keys: Path, ada: User, dying: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody has to look at it then; it is not waited for any more, and need not even be asked."""
    client = back(ada)
    host.behave["dead session"] = True
    assert client.post("/order/", {"number": "N-1"}).status_code == 202
    monkeypatch.setattr(recognising, "PATIENCE", 0.0)
    collector = waiting.Collector(keys)
    collector._ask_at = 0.0 if ask else math.inf
    assert collector.collect() == 1
    known, row = in_the_database(), RescuedSubmission.objects.get()
    assert (known.user, known.user_unknown, known.session) == ("", True, {})
    assert row.in_doubt == "visitor"
    assert known.fields == (("number", "N-1"),)
    assert SubmissionAct.objects.exists() is ask
    guard.take()


def test_without_a_spool_it_is_kept_in_the_database_without_the_key(
    keys: Path, ada: User, dying: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rescue.spool, "directory", lambda: None)
    client = back(ada)
    host.behave["dead session"] = True
    assert client.post("/order/", {"number": "N-1"}).status_code == 202
    assert RescuedSubmission.objects.get().in_doubt == "visitor"
    guard.take()


def test_another_doubt_stays(keys: Path, ada: User) -> None:
    key = back(ada).cookies["sessionid"].value
    unknown = sent(user="", user_unknown=True)
    waiting.write(keys, new(submission=unknown, session_key=key, in_doubt="commit"))
    waiting.collect(keys)
    assert RescuedSubmission.objects.get().in_doubt == "commit"
    assert in_the_database() == sent(user=str(ada.pk))


def test_without_a_database_nothing_is_taken_for_gone(
    keys: Path, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise OperationalError("still away")

    send(back(ada))
    with monkeypatch.context() as patch:
        patch.setattr(connections["default"], "_cursor", refuse)
        patch.setattr(recognising, "_stored", lambda key: pytest.fail("asked too early"))
        assert waiting.Collector(keys).collect() == 0
    guard.take()
    assert in_the_spool(keys).session_key
    assert waiting.Collector(keys).collect() == 1
    assert RescuedSubmission.objects.get().in_doubt == ""


def test_a_session_that_does_not_answer_is_asked_again(
    keys: Path, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its table may be locked, or in another database, while ours answers."""

    def refuse(key: str) -> None:
        raise OperationalError("locked")

    send(back(ada))
    with monkeypatch.context() as patch:
        patch.setattr(recognising, "_stored", refuse)
        assert waiting.Collector(keys).collect() == 0
    guard.take()
    assert not RescuedSubmission.objects.exists()
    assert waiting.Collector(keys).collect() == 1
    assert in_the_database().user == str(ada.pk)


def test_whom_the_session_was_asked_for_is_in_the_audit(keys: Path, ada: User) -> None:
    send(back(ada))
    waiting.collect(keys)
    audit = SubmissionAct.objects.values_list("submission", "act", "who", "version")
    assert audit.get() == (RescuedSubmission.objects.get().pk, "recognised", "qaprod", 1)


def test_nothing_is_decrypted_where_there_is_nobody_to_ask(
    keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting.write(keys, new())
    with monkeypatch.context() as patch:
        patch.setattr(recognising, "unpack", lambda content: pytest.fail("opened"))
        assert waiting.collect(keys) == 1
    assert not SubmissionAct.objects.exists()


def test_the_key_goes_nowhere_else(keys: Path, ada: User) -> None:
    heard: list[Any] = []

    def listen(**what: Any) -> None:
        heard.append(what["submission"])

    client = back(ada)
    submission_rescued.connect(listen)
    try:
        send(client)
        host.behave["before"] = ValueError("a bug, and the database is there")
        assert client.post("/order/", {"number": "N-2"}).status_code == 202
    finally:
        submission_rescued.disconnect(listen)
    key = client.cookies["sessionid"].value
    assert in_the_spool(keys).session_key == key
    assert len(heard) == 2
    waiting.collect(keys)
    kept = [submissions.opened(one, who="ada") for one in RescuedSubmission.objects.all()]
    rows = [str(list(model.objects.values())) for model in (RescuedSubmission, SubmissionAct)]
    assert key not in str((heard, kept, rows))


def test_no_cookie_is_kept_that_is_longer_than_a_browser_s(keys: Path, ada: User) -> None:
    client = Client()
    client.cookies["sessionid"] = "x" * 5000
    send(client)
    assert in_the_spool(keys).session_key == ""
