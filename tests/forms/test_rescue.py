"""What was sent is kept, durably, before anybody says so; or nobody says so."""

from __future__ import annotations

import logging
import os
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django import forms
from django.contrib.auth.models import User
from django.db import OperationalError, connection, connections, transaction
from django.http import HttpRequest
from django.test import RequestFactory
from pytest_django import DjangoAssertNumQueries, Settings

from django_qaprod import context
from django_qaprod.exceptions import CannotKeepError
from django_qaprod.forms import rescue, waiting
from django_qaprod.forms.options import ServeOptions
from django_qaprod.forms.rescue import Kept, keep
from django_qaprod.forms.signals import submission_rescued
from django_qaprod.models import RescuedSubmission, SubmissionVersion
from django_qaprod.pipeline import filelock, guard, spool
from django_qaprod.pipeline.identity import hashed
from django_qaprod.sent import SentFile, reference_of
from django_qaprod.store import submissions

from .kept import CANARY, new, sent

pytestmark = [pytest.mark.django_db(databases="__all__"), pytest.mark.usefixtures("keys")]
ROOT = Path(__file__).parents[2]


def request(token: str | None = "token", **data: str) -> HttpRequest:
    return RequestFactory().post(
        "/apply/7/", data if token is None else {"csrfmiddlewaretoken": token, **data}
    )


def kept(
    given: HttpRequest | None = None, *, submission: Any = None, replay: Any = "by_hand", **fields: Any
) -> Kept:
    options = ServeOptions(forms={"form": forms.Form}, journey="Application", replay=replay)
    return keep(given or request(), submission or sent(), options=options, name="jobs.views.apply", **fields)


@pytest.fixture
def dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that takes nothing."""

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr(submissions, "save", refuse)


def test_it_is_kept_in_the_database(settings: Settings) -> None:
    settings.QAPROD = {**settings.QAPROD, "RELEASE": "r7", "USER_IDS": "hash"}
    given: Any = request()
    given._cached_user = User(pk=17)
    token = context.enter(context.Context(given))
    try:
        found = kept(
            given,
            subject="7",
            failure="v1:f",
            occurrence="o",
            in_doubt="page",
            transactional=False,
            replay="after_deploy",
        )
        request_id = context.current().request_id  # type: ignore[union-attr]
    finally:
        context.leave(token)
    row = RescuedSubmission.objects.get()
    assert (found.id, found.where, found.duplicate, found.reference) == (
        row.pk,
        "database",
        False,
        reference_of(row.pk),
    )
    assert (row.name, row.journey, row.subject) == ("jobs.views.apply", "Application", "7")
    assert (row.failure, row.occurrence, row.in_doubt, row.transactional) == ("v1:f", "o", "page", False)
    assert (row.release, row.request_id, row.healing, row.state) == (
        "r7",
        request_id,
        "after_deploy",
        "waiting",
    )
    assert row.user == hashed("17")
    assert submissions.opened(row, who="ada") == sent()


@pytest.mark.usefixtures("dead")
def test_a_dead_database_leaves_it_to_the_spool(keys: Path) -> None:
    found = kept()
    assert (found.where, found.duplicate) == ("spool", False)
    assert not RescuedSubmission.objects.exists()
    [file] = (keys / "submissions").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert CANARY.encode() not in file.read_bytes()
    assert b"Application" not in file.read_bytes()


def test_a_database_that_is_known_to_be_dead_is_not_asked(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    with django_assert_num_queries(0):
        assert kept(database=False).where == "spool"


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_within_somebody_else_s_transaction_it_goes_where_no_rollback_reaches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rescue, "in_test_run", lambda: False)
    with transaction.atomic():
        assert kept(request("a")).where == "spool"
    assert kept(request("b")).where == "database"
    connection.set_autocommit(False)
    try:
        assert kept(request("c")).where == "spool"
    finally:
        connection.rollback()
        connection.set_autocommit(True)


def test_a_double_click_is_kept_once_and_has_the_same_reference() -> None:
    first, second = kept(), kept()
    assert (first.id, first.reference) == (second.id, second.reference)
    assert (first.duplicate, second.duplicate) == (False, True)
    assert RescuedSubmission.objects.count() == 1


def test_a_double_click_in_the_spool_is_kept_once_and_has_the_same_reference(keys: Path) -> None:
    first, second = kept(database=False), kept(database=False)
    assert (first.id, first.reference) == (second.id, second.reference)
    assert (first.duplicate, second.duplicate) == (False, True)
    assert waiting.status(keys).waiting == 1


@pytest.mark.parametrize("order", [(True, False), (False, True)])
def test_a_double_click_of_which_one_met_a_dead_database_is_one_row(
    keys: Path, order: tuple[bool, bool]
) -> None:
    found = [kept(database=database) for database in order]
    assert len({one.reference for one in found}) == 1
    waiting.collect(keys)
    assert RescuedSubmission.objects.count() == SubmissionVersion.objects.count() == 1
    assert reference_of(RescuedSubmission.objects.get().pk) == found[0].reference


@pytest.mark.parametrize(
    "other",
    [
        {"given": request("another page")},
        {"submission": sent(path="/apply/8/")},
        {"submission": sent(fields=(("name", "Ada"), ("letter", "other")))},
        {"submission": sent(fields=(("nameAda", ""), ("letter", CANARY)))},
        {"submission": sent(files=(SentFile(field="cv", name="cv.pdf", content_type="", content=b"other"),))},
    ],
)
def test_what_differs_is_kept_beside_it(other: dict[str, Any]) -> None:
    first = kept()
    assert not kept(**other).duplicate
    assert RescuedSubmission.objects.count() == 2
    assert kept().id == first.id


def test_the_guard_s_nonce_tells_one_page_from_another() -> None:
    assert not kept(request(qaprod_form="1")).duplicate
    assert not kept(request(qaprod_form="2")).duplicate
    assert kept(request("other token", qaprod_form="2")).duplicate


def test_without_a_token_nobody_can_tell_a_double_click() -> None:
    assert not kept(request(None)).duplicate
    assert not kept(request(None)).duplicate


def test_without_keys_it_is_not_kept(settings: Settings) -> None:
    settings.QAPROD = {}
    with pytest.raises(CannotKeepError, match="RESCUE_KEYS"):
        kept()


def test_without_a_directory_and_a_database_it_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filelock, "AVAILABLE", False)
    spool.forget_directory()
    with pytest.raises(CannotKeepError, match="no file locks"):
        kept(database=False)


def test_beyond_the_spool_s_cap_it_is_not_kept(settings: Settings) -> None:
    settings.QAPROD = {**settings.QAPROD, "RESCUE_SPOOL_MAX_BYTES": 2_000}
    kept(request("a"), database=False)
    with pytest.raises(CannotKeepError, match="RESCUE_SPOOL_MAX_BYTES"):
        kept(request("b"), database=False)
    # The first click is kept, whoever clicks again.
    assert kept(request("a"), database=False).duplicate


def test_beyond_the_number_that_may_wait_it_is_not_kept(settings: Settings, keys: Path) -> None:
    settings.QAPROD = {**settings.QAPROD, "MAX_ROWS": {"submissions": 2}}
    first = kept(request("a"))
    waiting.write(keys, new("b"))
    waiting.write(keys, new("c"))
    # What a visitor was told is kept, however many wait.
    assert waiting.collect(keys) == 2
    guard.take()
    with pytest.raises(CannotKeepError, match="MAX_ROWS"):
        kept(request("d"))
    tally = guard.take()
    assert tally is not None
    assert (tally.dropped, tally.errors) == ({"rescue.full": 1}, {})
    assert kept(request("a")).duplicate
    RescuedSubmission.objects.update(state="replayed")
    assert not kept(request("e")).duplicate
    assert first.where == "database"


def test_zero_is_no_limit(settings: Settings) -> None:
    kept(request("a"))
    settings.QAPROD = {**settings.QAPROD, "MAX_ROWS": {"submissions": 0}}
    assert kept(request("b")).where == "database"


def _unwritable(folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o777)


def _a_link(folder: Path) -> None:
    folder.parent.mkdir(parents=True)
    (folder.parent / "elsewhere").mkdir()
    folder.symlink_to(folder.parent / "elsewhere")


def _a_file(folder: Path) -> None:
    folder.parent.mkdir(parents=True)
    folder.write_text("")


@pytest.mark.parametrize("spoil", [_unwritable, _a_link, _a_file])
def test_a_folder_that_others_may_write_is_not_trusted(keys: Path, spoil: Callable[[Path], None]) -> None:
    spool.directory()
    keys.rmdir()
    spoil(keys / "submissions")
    keys.chmod(0o700)
    with pytest.raises(CannotKeepError, match="Neither"):
        kept(database=False)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_what_the_disk_refuses_is_not_kept_and_leaves_nothing(
    keys: Path, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    kept(request("before"), database=False)
    monkeypatch.setattr(*((os, "fsync") if call == "fsync" else (Path, "replace")), refuse)
    with pytest.raises(CannotKeepError, match="No space"):
        kept(database=False)
    assert len(list((keys / "submissions").iterdir())) == 1


def test_file_and_name_are_on_the_disk_before_anybody_is_told(
    keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(request("before"), database=False)
    order: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def watch_fsync(descriptor: int) -> None:
        order.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def watch_replace(self: Path, target: Path) -> Path:
        order.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", watch_fsync)
    monkeypatch.setattr(Path, "replace", watch_replace)
    kept(database=False)
    assert order == ["file", "rename", "folder"]
    kept(database=False)
    assert order[3:] == ["file", "rename", "folder"]


def test_the_host_hears_of_it_once(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[dict[str, Any]] = []

    def listen(**what: Any) -> None:
        heard.append(what)
        raise ValueError("a receiver's own")

    submission_rescued.connect(listen)
    try:
        with caplog.at_level(logging.ERROR, logger="django.dispatch"):
            found = kept()
            kept()
    finally:
        submission_rescued.disconnect(listen)
    [what] = heard
    assert (what["sender"], what["kept"], what["submission"]) == ("jobs.views.apply", found, sent())
    assert what["request"].path == "/apply/7/"
    assert "receiver's own" in caplog.text


KILLED = """
import os, signal, sys
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=["django_qaprod"], SECRET_KEY="s", ALLOWED_HOSTS=["testserver"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[2]}},
    QAPROD={"RESCUE_KEYS": [sys.argv[3]], "SPOOL_DIR": sys.argv[1]},
)
django.setup()
from django import forms
from django.test import RequestFactory
from django_qaprod.forms.options import ServeOptions
from django_qaprod.forms.rescue import keep
from tests.forms.kept import sent
if sys.argv[4] == "database":
    from django.core.management import call_command
    call_command("migrate", verbosity=0)
request = RequestFactory().post("/", {"csrfmiddlewaretoken": "t"})
found = keep(request, sent(), options=ServeOptions(forms={"form": forms.Form}), name="v")
sys.stdout.write(f"{found.id} {found.where}\\n")
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("where", ["database", "spool"])
def test_what_the_visitor_was_told_survives_kill_9(
    keys: Path, tmp_path: Path, where: str, settings: Settings
) -> None:
    database = tmp_path / "db.sqlite3"
    arguments = [str(keys), str(database), settings.QAPROD["RESCUE_KEYS"][0], where]
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(KILLED), *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    found, told = ended.stdout.split()
    assert told == where
    if where == "spool":
        # Its tables were missing.
        assert waiting.collect(keys) == 1
        assert submissions.opened(RescuedSubmission.objects.get(pk=found), who="ada") == sent()
    else:
        import sqlite3

        with sqlite3.connect(database) as again:
            assert again.execute("SELECT submission_id FROM qaprod_submissionversion").fetchall() == [
                (found,)
            ]
        again.close()


def test_connections_are_left_as_they_were() -> None:
    kept()
    assert connections["default"].in_atomic_block
