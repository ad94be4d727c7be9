"""The directories and processes of a run: one directory for each variant, one fresh process at a time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).parent.parent

#: How many kinds of errors there are to be met.
KINDS = 200

# What the view with a query finds.
_FILL = "from benchmarks.project.models import Vacancy; Vacancy.objects.create(title='A teacher')"

_KIND = '''\
"""One kind of error."""


class Problem{0}Error(Exception):
    """Raised here alone."""


def start():
    return find_{0}("a teacher")


def find_{0}(name):
    found = {{"name": name, "number": {0}}}
    return check_{0}(found)


def check_{0}(found):
    if found["number"] == {0}:
        raise Problem{0}Error(f"{{found['name']}} met problem number {0}")
    return found
'''


class Workspace:
    """Migrated directories of the variants; removed at the end."""

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="qaprod-bench-"))
        self._templates: dict[str, Path] = {}
        self._used = 0
        self._lock = threading.Lock()
        self._write_kinds()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def environment(self, variant: str, *, thin: bool = False, **more: str) -> dict[str, str]:
        """Return the environment of a process of a variant, with a fresh directory of its own."""
        return self._environment(variant, self._fresh(variant), thin=thin, **more)

    def run(self, module: str, *arguments: str, environment: Mapping[str, str]) -> str:
        """Run a module to its end and return what it printed."""
        return run([sys.executable, "-m", module, *arguments], environment)

    def _fresh(self, variant: str) -> Path:
        with self._lock:
            if variant not in self._templates:
                self._templates[variant] = self._migrated(variant)
            self._used += 1
            return Path(shutil.copytree(self._templates[variant], self.path / f"{variant}-{self._used}"))

    def _migrated(self, variant: str) -> Path:
        directory = self.path / variant
        directory.mkdir()
        environment = self._environment(variant, directory)
        manage = [sys.executable, "-m", "django"]
        run([*manage, "migrate", "--run-syncdb", "--verbosity=0"], environment)
        run([*manage, "shell", "--no-imports", "--command", _FILL], environment)
        shutil.rmtree(directory / "spool", ignore_errors=True)
        return directory

    def _environment(
        self, variant: str, directory: Path, *, thin: bool = False, **more: str
    ) -> dict[str, str]:
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "benchmarks.project.settings",
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(self.path)]),
            # The same dictionaries in every process: a part of the noise less.
            "PYTHONHASHSEED": "0",
            # Bytecode as after an installation, whatever the caller's environment says, and of this run.
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": str(self.path / "bytecode"),
            "QAPROD_BENCH_DIR": str(directory),
            "QAPROD_BENCH_THIN": "1" if thin else "",
            "QAPROD_BENCH_VARIANT": variant,
            **more,
        }

    def _write_kinds(self) -> None:
        package = self.path / "kinds"
        package.mkdir()
        for number in range(KINDS):
            # Not all errors happen on the same lines.
            text = _KIND.format(number) + "\n" * (number % 7)
            Path(package, f"kind_{number}.py").write_text(text)


class Child:
    """A process that measures itself on demand (see ``child``)."""

    def __init__(self, variant: str, environment: Mapping[str, str]) -> None:
        self.variant = variant
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.child"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, do: str, **arguments: Any) -> Any:
        """Have something done and return the answer."""
        self.tell(do, **arguments)
        return self.hear()

    def tell(self, do: str, **arguments: Any) -> None:
        """Have something done without waiting for it."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self._process.stdin.flush()

    def hear(self) -> Any:
        """Return the answer to what was told."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"The process of {self.variant!r} ended with {self._process.wait()}.")
        return json.loads(line)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextmanager
def children(workspace: Workspace, variants: tuple[str, ...], *, thin: bool = False) -> Iterator[list[Child]]:
    """Run a fresh process of each variant until the block ends."""
    started: list[Child] = []
    try:
        for variant in variants:
            # One by one, so that those that have been started are ended when the next one is not.
            started.append(Child(variant, workspace.environment(variant, thin=thin)))  # noqa: PERF401
        yield started
    finally:
        for child in started:
            child.close()


@contextmanager
def receiver() -> Iterator[dict[str, str]]:
    """Run who swallows what exporters send; yields the variables by which they find it."""
    program = [sys.executable, "-m", "benchmarks.receiver"]
    with subprocess.Popen(
        program, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        ports = json.loads(process.stdout.readline())
        yield {
            "QAPROD_BENCH_HTTP": str(ports["http"]),
            "QAPROD_BENCH_UDP": str(ports["udp"]),
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{ports['http']}",
            "OTEL_SERVICE_NAME": "bench",
        }
        process.stdin.close()


def run(command: list[str], environment: Mapping[str, str]) -> str:
    """Run a program to its end and return what it printed; raise ``RuntimeError`` if it fails."""
    done = subprocess.run(command, check=False, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout
