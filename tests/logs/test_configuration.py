"""A ``LOGGING`` to begin with: plain data, for settings and servers, with levels that keep ERROR rare."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from django_qaprod.exceptions import DeclarationError
from django_qaprod.logs import JSONFormatter, logging_config

ROOT = Path(__file__).parents[2]

# A host as it starts, with what its settings may say about logs.
HOST = """
import logging, sys
from django.conf import settings
import django
from django_qaprod.logs import logging_config
settings.configure(
    DEBUG={debug}, INSTALLED_APPS=[], SECRET_KEY="x", ADMINS=["a@example.org"],
    LOGGING=logging_config({options}),
)
django.setup()
def say(name, level="INFO", message="x"):
    logging.getLogger(name).log(getattr(logging, level), message)
{script}
"""


def run(script: str, *, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    ours = {"PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", **environment}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DJANGO_")}
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=cwd,
        env={**inherited, **ours},
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )


def host(script: str, options: str = "", *, debug: bool = False) -> list[dict[str, Any]]:
    """Return the objects that a host writes; nothing may stand between them, nor on the other stream."""
    done = run(HOST.format(script=script, options=options, debug=debug))
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


class TestLevels:
    def test_what_is_written_is_documented_level_by_level(self) -> None:
        script = """
for name in ("jobs", "django", "django.request", "django.security", "django.security.DisallowedHost",
             "django.server", "django.db.backends", "qaprod.request", "qaprod.usage", "django_qaprod"):
    for level in ("DEBUG", "INFO", "WARNING", "ERROR"):
        say(name, level)
"""
        found: dict[str, list[str]] = {}
        for line in host(script):
            found.setdefault(line["scope"]["name"], []).append(line["severity_text"])
        assert found == {
            "jobs": ["INFO", "WARNING", "ERROR"],
            "django": ["INFO", "WARNING", "ERROR"],
            "django.request": ["ERROR"],
            "django.security": ["INFO", "WARNING", "ERROR"],
            "django.db.backends": ["INFO", "WARNING", "ERROR"],
            "qaprod.request": ["INFO", "WARNING", "ERROR"],
            "qaprod.usage": ["INFO", "WARNING", "ERROR"],
            "django_qaprod": ["WARNING", "ERROR"],
        }

    def test_the_level_is_that_of_the_project(self) -> None:
        script = "say('jobs'); say('jobs', 'WARNING'); say('qaprod.request')"
        found = host(script, "level='WARNING'")
        assert [line["scope"]["name"] for line in found] == ["jobs", "qaprod.request"]

    def test_statements_stay_inside_at_any_level_and_nothing_is_written_twice(self) -> None:
        script = """
logging.getLogger("django").setLevel("DEBUG")
say('django.db.backends', 'DEBUG')
say('jobs', 'DEBUG')
say('django', 'ERROR')
say('django_qaprod', 'WARNING')
"""
        found = host(script, "level='DEBUG'", debug=True)
        assert [line["scope"]["name"] for line in found] == ["jobs", "django", "django_qaprod"]

    def test_the_development_server_is_heard_by_a_person_alone(self) -> None:
        script = "say('django.server', 'INFO', 'GET / 200')"
        assert host(script) == []
        done = run(HOST.format(script=script, options="format='console'", debug=True))
        assert done.stdout.endswith("INFO     django.server: GET / 200\n")


def test_the_format_is_chosen() -> None:
    script = """
import logging.config
for chosen in ("json", "ecs", "keyvalue", "console"):
    logging.config.dictConfig(logging_config(format=chosen, resource={"service.name": "jobs"}))
    say("jobs")
"""
    json_line, ecs, keyvalue, console = run(
        HOST.format(script=script, options="", debug=False)
    ).stdout.splitlines()
    assert json.loads(json_line)["resource"] == {"service.name": "jobs"}
    assert json.loads(ecs)["service.name"] == "jobs"
    assert keyvalue.startswith("timestamp=")
    assert " service_name=jobs " in keyvalue
    assert console.endswith("INFO     jobs: x")


@pytest.mark.parametrize(
    ("argument", "value", "words"),
    [
        ("format", "xml", "format is one of 'json', 'ecs', 'keyvalue', 'console', not 'xml'"),
        ("format", ["json"], "format is one of .*, not .*json"),
        ("level", "LOUD", "level is one of 'CRITICAL', .*, not 'LOUD'"),
        ("level", "info", "level is one of .*'INFO', .*, not 'info'"),
        ("level", None, "level is one of .*, not None"),
        ("level", True, "level is one of .*, not True"),
        ("resource", "jobs", "resource is a dict, such as {'service.name': 'jobs'}, not str"),
        ("resource", {"service.name": 7}, "its 'service.name' cannot be 7. Leave it out"),
        ("resource", {1: "x"}, "its 1 cannot be 'x'"),
    ],
)
def test_a_wrong_argument_is_refused_with_what_to_write(argument: str, value: Any, words: str) -> None:
    with pytest.raises(DeclarationError, match=words):
        logging_config(**{argument: value})


def test_a_resource_that_no_variable_names_is_left_out() -> None:
    given = {"service.name": "jobs", "deployment.environment.name": os.environ.get("QAPROD_NOT_SET")}
    config = logging_config(resource=given)
    assert config["formatters"]["line"]["resource"] == {"service.name": "jobs"}
    line = JSONFormatter(resource=given).format(logging.LogRecord("a", 20, "", 0, "x", None, None))
    assert json.loads(line)["resource"] == {"service.name": "jobs"}


def test_a_level_may_be_a_number_or_one_of_the_host_s() -> None:
    logging.addLevelName(25, "NOTICE")
    try:
        assert logging_config(level="NOTICE")["root"]["level"] == "NOTICE"
    finally:
        del logging._nameToLevel["NOTICE"], logging._levelToName[25]
    assert logging_config(level=logging.WARNING)["root"]["level"] == 30


def test_it_is_plain_data_of_one_s_own() -> None:
    config = logging_config(servers=True, mail_admins=True, resource={"service.name": "jobs"})
    assert json.loads(json.dumps(config)) == config
    config["loggers"]["django"]["handlers"].append("mine")
    config["formatters"]["line"]["fields"] = "ecs"
    assert logging_config()["loggers"]["django"]["handlers"] == []
    assert logging_config()["formatters"]["line"]["fields"] == "otel"
    assert logging_config(servers=True)["loggers"]["uvicorn"]["handlers"] == []


def test_errors_are_mailed_to_admins_only_if_asked() -> None:
    script = """
from django.utils.log import AdminEmailHandler
AdminEmailHandler.emit = lambda self, record: print('{"mailed": true}')
say('django.request', 'ERROR')
"""
    assert {"mailed": True} not in host(script)
    assert host(script, "mail_admins=True")[0] == {"mailed": True}


def test_importing_it_reads_no_settings_and_makes_no_pattern() -> None:
    script = """
import sys
import django_qaprod.logs
django_qaprod.logs.logging_config()
from django.conf import settings
assert not settings.configured
heavy = {"django_qaprod.pipeline.scrub", "django_qaprod.pipeline.failures", "django.db", "structlog"}
print(sorted(heavy & set(sys.modules)))
"""
    assert run(script).stdout.strip() == "[]"


def test_no_line_makes_django_read_the_settings(tmp_path: Path) -> None:
    """Some configure logging at the top of their settings, and what they import below it may log."""
    (tmp_path / "half_settings.py").write_text(
        """
import logging.config
from django_qaprod.logs import logging_config
LOGGING_CONFIG = None
logging.config.dictConfig(logging_config())
try:
    raise LookupError("token=hunter2")
except LookupError as error:
    logging.getLogger("environ").exception("reading password=hunter2")
class Own(Exception):
    def __str__(self):
        return "of its own"
logging.getLogger("environ").error("x", exc_info=Own())
QAPROD = {"RELEASE": "1.0", "SCRUB_PATTERNS": ["apple"], "ENABLED": False}
INSTALLED_APPS = ["django_qaprod"]
SECRET_KEY = "x"
"""
    )
    script = """
import django, logging
django.setup()
from django_qaprod import conf
assert conf.settings().release == "1.0"
logging.getLogger("jobs").info("an apple")
"""
    done = run(script, cwd=tmp_path, DJANGO_SETTINGS_MODULE="half_settings", PYTHONPATH=f"{ROOT}:{tmp_path}")
    assert done.stderr == ""
    first, second, last = (json.loads(line) for line in done.stdout.splitlines())
    assert first["body"] == "reading password=[scrubbed]"
    assert first["attributes"]["exception.message"] == "token=[scrubbed]"
    assert "raise LookupError" in first["attributes"]["exception.stacktrace"]
    assert first["resource"] == {}
    assert second["attributes"]["exception.message"] == "of its own"
    assert (last["body"], last["resource"]) == ("an [scrubbed]", {"service.version": "1.0"})


def test_a_stream_of_ascii_takes_every_line() -> None:
    script = HOST.format(script="say('jobs', 'INFO', 'größer \\u2028 😀')", options="", debug=False)
    done = run(script, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.stderr == ""
    assert json.loads(done.stdout)["body"] == "größer \u2028 😀"


def test_lines_of_a_child_are_its_own() -> None:
    script = """
import os
say('jobs', 'INFO', 'parent')
sys.stdout.flush()
pid = os.fork()
if pid == 0:
    try:
        raise LookupError("in the child")
    except LookupError:
        logging.getLogger("jobs").exception("child")
    sys.stdout.flush()
    os._exit(0)
os.waitpid(pid, 0)
"""
    parent, child = host(script)
    assert parent["attributes"]["process.pid"] != child["attributes"]["process.pid"]
    assert child["attributes"]["exception.type"] == "LookupError"
