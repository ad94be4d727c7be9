"""Documentation and code say the same, and what the documentation tells people to type works."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import pkgutil
import re
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command, load_command_class
from django.core.management.base import BaseCommand

import django_qaprod
from django_qaprod import conf, exceptions, testing
from django_qaprod.management import commands
from django_qaprod.store import retention
from django_qaprod.testing import plugin

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]

_FENCE = re.compile(r"^( *)```(\S*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block of code in a page."""

    page: str
    line: int
    language: str
    text: str

    @property
    def path(self) -> str:
        """The file that its first line names, if it does."""
        found = re.match(r"(?:#|\{#) ([\w/.-]+\.\w+)(?: #\})?(?:,.*)?\n", self.text)
        return found[1] if found else ""


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    return [
        Block(
            page=page.name,
            line=text[: found.start()].count("\n") + 1,
            language=found[2],
            text=textwrap.dedent(found[3]),
        )
        for found in _FENCE.finditer(text)
    ]


PYTHON = [block for page in PAGES for block in blocks(page) if block.language == "python"]


def headings(page: str) -> dict[str, str]:
    """Return the sections under headings of code, by what the heading names."""
    parts = re.split(r"^#{2,3} `([^`]+)`$", (DOCS / page).read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_setting_is_documented_with_its_type_and_default() -> None:
    documented, defaults = headings("settings.md"), conf.Settings()
    assert list(documented) == [key.upper() for key in conf.types_of_keys()]
    for key, kind in conf.types_of_keys().items():
        line = f"*{conf.describe(kind)}; by default* `{getattr(defaults, key)!r}`"
        assert documented[key.upper()].startswith(f"\n\n{line}\n\n"), key


@pytest.mark.parametrize(
    ("key", "numbers"), [("RETENTION_DAYS", retention.DAYS), ("MAX_ROWS", retention.ROWS)]
)
def test_what_is_kept_is_documented_with_its_numbers(key: str, numbers: dict[str, int]) -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([\d,]+) \|", headings("settings.md")[key], re.MULTILINE)
    assert {name: int(number.replace(",", "")) for name, number in rows} == numbers


def test_every_check_is_documented_once_and_no_other() -> None:
    words = "".join(path.read_text() for path in Path(django_qaprod.__file__).parent.rglob("*.py"))
    raised = {f"qaprod.{number}" for number in re.findall(r"[\".]([EWI]\d{3})\"", words)}
    documented = re.findall(r"^### `(qaprod\.\w+)`$", (DOCS / "checks.md").read_text(), re.MULTILINE)
    assert sorted(documented) == sorted(raised)


def test_every_command_is_documented_with_its_options() -> None:
    documented = headings("commands.md")
    names = {module.name for module in pkgutil.iter_modules(commands.__path__)}
    assert set(documented) == names
    base = _options(BaseCommand())
    for name in names:
        options = _options(load_command_class("django_qaprod", name)) - base
        assert set(re.findall(r"^`(--[\w-]+)`$", documented[name], re.MULTILINE)) == options, name


def _options(command: BaseCommand) -> set[str]:
    parser = command.create_parser("manage.py", "x")
    return {
        option for action in parser._actions for option in action.option_strings if option.startswith("--")
    }


def test_every_export_is_in_the_reference() -> None:
    documented = headings("reference.md")
    assert set(documented) == set(django_qaprod.__all__)
    words = (DOCS / "reference.md").read_text()
    errors = [name for name, _ in inspect.getmembers(exceptions, inspect.isclass)]
    fixtures = [name for name in vars(plugin) if name.startswith("qaprod_")]
    for name in (*errors, *testing.__all__, *fixtures):
        assert f"`{name}" in words, name


def test_options_in_the_reference_are_those_of_the_code() -> None:
    section = headings("reference.md")["degrade"]
    named = {
        name
        for line in re.findall(r"^(`\w+`(?:, `\w+`)*)$", section, re.MULTILINE)
        for name in re.findall(r"\w+", line)
    }
    assert named == set(inspect.signature(django_qaprod.degrade.__init__).parameters) - {"self"}
    for name in ("record", "track", "on_create", "on_save"):
        shown = re.search(rf"`\.{name}\((.*?)\)`", headings("reference.md")["Step"])
        assert shown, name
        assert (
            _parameters(shown[1]) == list(inspect.signature(getattr(django_qaprod.Step, name)).parameters)[1:]
        )


def _parameters(shown: str) -> list[str]:
    function = ast.parse(f"def f({shown}): ...").body[0]
    assert isinstance(function, ast.FunctionDef)
    given = function.args
    names = [*given.posonlyargs, *given.args, *given.kwonlyargs, *([given.kwarg] if given.kwarg else [])]
    return [argument.arg for argument in names]


def test_the_tests_that_the_guarantees_name_are_there() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (DOCS / "guarantees.md").read_text())
    assert len(named) > 15
    for path, name in named:
        assert re.search(rf"^(?:async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE), (
            f"{path}::{name}"
        )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)", page.read_text()):
        there = page.parent / target if target else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), f"{target}#{anchor}"


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings as GitHub makes them; Sphinx knows these, too."""
    words = re.sub(r"\]\(.*?\)", "", _FENCE.sub("", page.read_text()))
    headings = re.findall(r"^#{1,3} (.+)$", words, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: f"{block.page}:{block.line}")
def test_examples_compile_and_import_what_is_there(block: Block) -> None:
    for node in ast.walk(ast.parse(block.text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("django_qaprod"):
            module = importlib.import_module(node.module or "")
            for alias in node.names:
                found = hasattr(module, alias.name) or _is_module(f"{node.module}.{alias.name}")
                assert found, f"{node.module}.{alias.name}"


def _is_module(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


@pytest.mark.parametrize(
    "block",
    [block for block in PYTHON if block.path.endswith("settings.py")],
    ids=lambda block: f"{block.page}:{block.line}",
)
def test_settings_in_examples_are_right(block: Block, settings: Any) -> None:
    namespace: dict[str, Any] = {"DATABASES": {"default": {}}, "INSTALLED_APPS": []}
    exec(block.text, namespace)
    settings.QAPROD = namespace.get("QAPROD", {})
    assert conf.problems() == []


@pytest.mark.parametrize(
    "block",
    [block for block in PYTHON if block.page == "reference.md"],
    ids=lambda block: str(block.line),
)
def test_examples_of_the_reference_run(block: Block) -> None:
    from django_qaprod import registry

    with registry.isolated():
        exec(compile(block.text, block.page, "exec"), {"__name__": "an_app.qaprod"})


# The rest runs in projects of its own.


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project as Django makes it, with the app ``jobs``."""
    call_command("startproject", "mysite", tmp_path)
    (tmp_path / "jobs").mkdir()
    call_command("startapp", "jobs", tmp_path / "jobs")
    with (tmp_path / "mysite/settings.py").open("a") as settings:
        settings.write(f"\nQAPROD = {{'SPOOL_DIR': {str(tmp_path / 'spool')!r}}}\n")
    return tmp_path


def run(directory: Path, *arguments: str) -> str:
    """Run Python in a project; return what it prints."""
    ours = ("DJANGO_", "QAPROD_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    answer = subprocess.run(
        [sys.executable, *arguments],
        cwd=directory,
        env={**environment, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def write(project: Path, block: Block) -> None:
    """Do with a block what its page says: settings are added to, another part replaces its function."""
    path = project / block.path
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.name == "settings.py":
        path.write_text(path.read_text() + "\n" + block.text)
    elif ", instead of prefill" in block.text.splitlines()[0]:
        before = path.read_text()
        path.write_text(
            re.sub(
                r"^def prefill.*?(?=^@)",
                lambda _: block.text + "\n\n",
                before,
                flags=re.MULTILINE | re.DOTALL,
            )
        )
    else:
        path.write_text(block.text)


VISIT = """
import json, sys
from django.test import Client
client = Client(raise_request_exception=False, headers={"host": "localhost"})
for path in sys.argv[1:] or sys.stdin.read().split():
    print(client.get(path, follow=True).status_code)
"""
SHOW = """
from django.core.management import call_command
call_command("qaprod_tick")
from django_qaprod.models import Event, Failure
failures = Failure.objects.order_by("pk")
print([(f.kind, f.error_type, f.culprit.split(" ")[0], f.count, f.journey) for f in failures])
print([(e.step, e.variant) for e in Event.objects.order_by("id")])
"""
SHOW_RULES = """
from threading import Event
from django.core.management import call_command
call_command("qaprod_tick")
from django_qaprod.alerts import passes
from django_qaprod.models import Rule
passes.look(Event())
rules = Rule.objects.filter(name__contains="application").order_by("name")
print([(rule.name, rule.error, rule.silent) for rule in rules])
"""


def visit(project: Path, *paths: str) -> list[str]:
    """Visit pages in a process of the project that records as in production."""
    code = VISIT.replace("sys.argv[1:] or sys.stdin.read().split()", repr(paths))
    return run(project, "manage.py", "shell", "--no-imports", "-c", code).split()


@pytest.mark.slow
def test_the_tutorial_does_what_it_says(project: Path) -> None:
    settings = project / "mysite/settings.py"
    steps = iter(block for block in blocks(DOCS / "tutorial.md") if block.path)

    def follow(*names: str) -> None:
        for name in names:
            block = next(steps)
            assert block.path == name
            write(project, block)

    # A site, and a failure.
    follow(
        "mysite/settings.py",
        "jobs/models.py",
        "jobs/views.py",
        "jobs/templates/jobs/apply.html",
        "mysite/urls.py",
    )
    run(project, "manage.py", "makemigrations", "jobs", "-v0")
    run(project, "manage.py", "migrate", "-v0")
    assert (project / "db-qaprod.sqlite3").exists()
    run(project, "manage.py", "shell", "-c", _command_that_makes_a_vacancy())
    assert visit(project, "/vacancies/1/apply/", "/vacancies/1/apply/") == ["500", "500"]
    unhandled = ("unhandled", "ConnectionError", "jobs.views.prefill", 2, "")
    assert show(project) == ([unhandled], [])

    # The form is served, once the developer does not want to see the error any more.
    follow("jobs/views.py")
    assert visit(project, "/vacancies/1/apply/") == ["500"]
    follow("mysite/settings.py")
    settings.write_text(settings.read_text() + f"\nQAPROD['SPOOL_DIR'] = {str(project / 'spool')!r}\n")
    assert visit(project, "/vacancies/1/apply/") == ["200"]
    failures, _ = show(project)
    assert [(kind, count) for kind, _, _, count, _ in failures] == [("unhandled", 3), ("degraded", 1)]

    # A journey.
    follow("jobs/qaprod.py", "jobs/views.py", "mysite/urls.py")
    assert visit(project, "/vacancies/1/start/", "/vacancies/1/start/") == ["200", "200"]
    failures, events = show(project)
    assert events == [("started", "short")] * 2
    assert ("degraded", 3, "job_application") in [
        (kind, count, journey) for kind, _, _, count, journey in failures
    ]

    # An alert: both rules are judged, and the links in a message lead somewhere.
    follow("jobs/qaprod.py", "mysite/settings.py", "mysite/urls.py")
    settings.write_text(settings.read_text() + f"\nQAPROD['SPOOL_DIR'] = {str(project / 'spool')!r}\n")
    assert visit(project, "/qaprod/watch/")[0] in {"200", "503"}
    judged = run(project, "manage.py", "shell", "--no-imports", "-c", SHOW_RULES).splitlines()[-1]
    assert ast.literal_eval(judged) == [
        ("applications fail", "", ""),
        ("fewer applications than usual", "", "It has not happened yet."),
    ]
    run(project, "manage.py", "check")
    assert next(steps, None) is None, "every block was followed"


def show(project: Path) -> tuple[list[Any], list[Any]]:
    """Store what was recorded; return the failures and the events."""
    lines = run(project, "manage.py", "shell", "--no-imports", "-c", SHOW).splitlines()
    return ast.literal_eval(lines[-2]), ast.literal_eval(lines[-1])


def _command_that_makes_a_vacancy() -> str:
    found = re.search(r'manage\.py shell -c "(.*)"', (DOCS / "tutorial.md").read_text())
    assert found
    return found[1]


@pytest.mark.slow
def test_the_readme_s_example_works(project: Path) -> None:
    settings = project / "mysite/settings.py"
    settings.write_text(
        settings.read_text() + "\nINSTALLED_APPS += ['django_qaprod', 'jobs']\nQAPROD['RERAISE'] = False\n"
    )
    for block in blocks(ROOT / "README.md"):
        if block.path:
            write(project, block)
    (project / "jobs/forms.py").write_text(README_FORM)
    (project / "jobs/templates/jobs").mkdir(parents=True)
    (project / "jobs/templates/jobs/apply.html").write_text('<form method="post">{{ form }}</form>')
    (project / "mysite/urls.py").write_text(README_URLS)
    run(project, "manage.py", "migrate", "-v0")
    shown = run(project, "manage.py", "shell", "--no-imports", "-c", README_VISIT).split()
    assert shown == ["302", "200", "302", "started", "submitted", "202", "waiting"]
    funnel, impact = run(project, "manage.py", "shell", "--no-imports", "-c", README_LOOK).splitlines()[-2:]
    assert funnel == "[('started', 1), ('submitted', 1)]"
    assert impact == (
        "Job application: 1 of 1 that was started met it; every one of them was served anyway. "
        "It has taken no later step since."
    )


# Of all that has a table in a new project, a group is the most like an application.
README_FORM = """
from django import forms
from django.contrib.auth.models import Group

class ApplicationForm(forms.ModelForm):
    class Meta:
        model = Group
        fields = ["name"]
"""
README_URLS = """
from django.urls import path
from jobs.views import apply

urlpatterns = [path("apply/", apply), path("thanks/", apply, name="thanks")]
"""
README_VISIT = """
from unittest.mock import patch
from django.contrib.auth.models import User
from django.test import Client
from django_qaprod.models import Event, RescuedSubmission

client = Client(headers={"host": "localhost"})
print(client.get("/apply/").status_code)
client.force_login(User.objects.create_user("teacher"))
print(client.get("/apply/").status_code)
print(client.post("/apply/", {"name": "Ada"}).status_code)
print(*Event.objects.order_by("id").values_list("step", flat=True))
with patch("jobs.views.redirect", side_effect=RuntimeError):
    print(client.post("/apply/", {"name": "Grace"}).status_code)
print(RescuedSubmission.objects.get().state)
"""
README_LOOK = """
from django.core.management import call_command
call_command("qaprod_tick")
from django_qaprod import registry
from django_qaprod.dashboard import failure as shown, windows
from django_qaprod.models import Failure
from django_qaprod.queries import failures, journeys

window, (spec,) = windows.choose({}).window, registry.journeys()
print([(step.step, step.reached) for step in journeys.funnel(spec, window).steps])
(impact,) = failures.detail(Failure.objects.get(error_type="RuntimeError").pk, window).impact
print(shown.in_words(impact))
"""


HOST_VIEWS = """
from django.http import HttpResponse
from django.urls import path
from django_qaprod import degrade

def raising(request):
    raise ValueError("on fire")

@degrade(fallback=dict)
def prefill():
    raise ConnectionError

def degraded(request):
    prefill()
    return HttpResponse()

urlpatterns = [path("raising/", raising), path("degraded/", degraded)]
"""


@pytest.mark.slow
def test_the_examples_for_tests_are_tests_that_pass(project: Path) -> None:
    settings = project / "mysite/settings.py"
    settings.write_text(settings.read_text() + "\nINSTALLED_APPS += ['django_qaprod']\n")
    (project / "mysite/urls.py").write_text(HOST_VIEWS)
    examples = [block for block in blocks(DOCS / "testing.md") if block.language == "python"]
    for number, block in enumerate(examples):
        (project / f"test_{number}.py").write_text(block.text)
    (project / "pytest.ini").write_text("[pytest]\nDJANGO_SETTINGS_MODULE = mysite.settings\n")
    plugins = ["-p", "no:django_qaprod", "-p", "django_qaprod.testing.plugin", "-p", "no:cacheprovider"]
    answer = run(project, "-m", "pytest", "-q", "--strict-markers", *plugins)
    assert f"{len(examples)} passed" in answer


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("furo")
    pytest.importorskip("myst_parser")
    out = tmp_path_factory.mktemp("docs")
    answer = subprocess.run(
        [
            sys.executable,
            "-m",
            "sphinx",
            "-q",
            "-W",
            "--keep-going",
            "-b",
            "html",
            "-d",
            str(out / "t"),
            DOCS,
            out,
        ],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    return out


@pytest.mark.slow
def test_the_documentation_builds_without_a_warning(built: Path) -> None:
    assert (built / "tutorial.html").exists()


@pytest.mark.slow
def test_the_documentation_needs_no_other_server(built: Path) -> None:
    for page in built.glob("*.html"):
        found = re.findall(r'(?:src|<link[^>]*href)="(https?:[^"]+)"', page.read_text())
        assert found == [], page.name
