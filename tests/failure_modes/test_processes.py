"""Processes and threads.

| what goes wrong | test |
|---|---|
| the thread is dead in workers after ``--preload`` | live/test_live.py::test_counts_are_exact_over_workers |
| a fork is not noticed (uWSGI skips the hooks) | pipeline/test_process.py::test_a_server_that_skips_fork_hooks_is_noticed_by_the_process_id |
| uWSGI without threads or hooks is not warned of | checks/test_checks.py::test_uwsgi_s_options_are_looked_at |
| a child hangs on a lock held at the fork | pipeline/test_process.py::test_a_fork_in_the_middle_of_an_append_does_not_hang_the_child |
| the same of a breaker | degradation/test_breaker.py::test_a_lock_that_was_held_at_the_fork_is_free_in_the_child |
| a child keeps the drainer's lock after its parent's death | pipeline/test_drainer.py::test_the_lock_is_not_inherited_by_a_fork |
| logging inside us deadlocks or recurses | capture/test_logging.py::test_a_handler_that_logs_does_not_recurse_or_hang |
| an error's own message counts, or logs, while it is counted | pipeline/test_guard.py::test_an_error_whose_message_counts_something_itself_does_not_hang |
| what a sink logs becomes a failure, and so on | test_draining_from_cron_makes_no_new_failures |
| a log handler that fails | pipeline/test_guard.py::test_a_log_handler_that_fails_changes_nothing |
| exit hangs for minutes | pipeline/test_process.py::test_exit_does_not_wait_for_a_sink_that_hangs |
| one sink that hangs delays the others | pipeline/test_drainer.py::test_a_sink_that_hangs_delays_no_other |
| one that is down for long fills the spool | pipeline/test_drainer.py::test_a_sink_that_is_down_for_long_does_not_fill_the_spool_for_the_others |
| where exporters send to is dead, slow or a hole | live/test_sinks_down.py::test_no_visitor_notices_and_it_heals |
| its name cannot be resolved | live/test_sinks_down.py::test_names_that_nobody_knows_delay_nothing |
| the buffer is lost at a kill | pipeline/test_process.py::test_a_killed_process_leaves_its_records_to_the_next |
| the same under real servers | live/test_live.py::test_kill_9_loses_nothing_that_was_promised_and_doubles_nothing |
| gevent: a native thread that logs parks greenlets | test_under_gevent_no_thread_of_ours_is_native |
"""  # noqa: E501

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live import host as hosts
from tests.live.load import visit
from tests.servers import wait_until

DATABASE, LOG = "django_qaprod.sinks.database.DatabaseSink", "django_qaprod.sinks.log.LogSink"
LOGS_ONE = "import django, logging; django.setup(); logging.getLogger('jobs').error('out of order')"


@pytest.mark.slow
def test_draining_from_cron_makes_no_new_failures(tmp_path: Path) -> None:
    qaprod = {"SINKS": [DATABASE, LOG], "SPOOL_DIR": str(tmp_path / "spool"), "BACKGROUND": "command"}
    host = hosts.sqlite(tmp_path, QAPROD=qaprod)
    host._run("-c", LOGS_ONE)
    for _ in range(3):
        host.tick()
    assert host.ask("list(Failure.objects.values_list('error_type', 'count'))") == [["jobs", 1]]


@pytest.mark.servers
@pytest.mark.slow
@pytest.mark.parametrize("preload", [False, True], ids=["", "preload"])
def test_under_gevent_no_thread_of_ours_is_native(tmp_path: Path, preload: bool) -> None:
    host = hosts.sqlite(tmp_path)
    early = tmp_path / "gunicorn.conf.py"
    # What is loaded before the fork is to be patched before: else all greenlets share Django's connections.
    early.write_text(
        "from gevent import monkey\n\nmonkey.patch_all()\npreload_app = True\n" if preload else ""
    )
    with host.serve("gunicorn-gevent", arguments=("--config", str(early))) as server:
        seen = visit(server.port, ["/ok/", "/raise/apples/"] * 100)
        assert seen.statuses == {200: 100, 500: 100}
        # So there is a drainer in the worker, and it works.
        wait_until(lambda: host.requests("ok/") == 100, what="all requests arrive")
        (worker,) = server.workers()
        assert len(list(Path(f"/proc/{worker}/task").iterdir())) == 1
    host.tick()
    assert host.ask("Failure.objects.get().count") == 100
