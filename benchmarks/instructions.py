"""Instructions per request, which a busy machine does not change.

By ``perf stat`` where the machine counts them: the slope between two counts of requests, in which start-up
cancels out. Else by valgrind's callgrind, which takes some fifty times as long and counts by stages.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .workspace import ROOT, Workspace

_PERF = ["perf", "stat", "-x", ",", "-e", "instructions:u"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Instructions of one request, and of the work that these requests left for later, in all."""

    request: float
    deferred: float | None


@cache
def tool() -> str:
    """Return ``perf``, ``callgrind`` or, where there is neither, nothing."""
    if shutil.which("perf") and _counted_by_perf(_run([*_PERF, "true"], {}, check=False)):
        return "perf"
    return "callgrind" if shutil.which("valgrind") else ""


def count(
    workspace: Workspace, variant: str, targets: list[tuple[str, str]], requests: int
) -> dict[tuple[str, str], Count]:
    """Return the counts of some views, each with its interface."""
    if tool() == "perf":
        return {target: _by_slope(workspace, variant, target, requests) for target in targets}
    return _by_stages(workspace, variant, targets, requests)


def start(workspace: Workspace, variant: str) -> float:
    """Return the instructions of a process that sets Django up and answers one request."""
    program = [sys.executable, "-m", "benchmarks.startup"]
    environment = workspace.environment(variant)
    # The first one compiles what has not been compiled.
    _run(program, environment)
    if tool() == "perf":
        return _counted_by_perf(_run([*_PERF, *program], environment))
    callgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    found = re.search(r"Collected : (\d+)", _run([*callgrind, *program], environment))
    return int(found[1]) if found else 0


def _by_slope(workspace: Workspace, variant: str, target: tuple[str, str], requests: int) -> Count:
    few, many = (
        _counted_by_perf(_run([*_PERF, *_program([target], n)], workspace.environment(variant)))
        for n in (requests // 5, requests // 5 + requests)
    )
    return Count(request=(many - few) / requests, deferred=None)


def _by_stages(
    workspace: Workspace, variant: str, targets: list[tuple[str, str]], requests: int
) -> dict[tuple[str, str], Count]:
    with tempfile.TemporaryDirectory(dir=workspace.path) as directory:
        callgrind = [
            *("valgrind", "--tool=callgrind", "--dump-before=getppid"),
            f"--callgrind-out-file={directory}/stage",
        ]
        _run([*callgrind, *_program(targets, requests)], workspace.environment(variant))
        # Stages are numbered from 1: three marks for each target, and what comes before each.
        stages = [_total(Path(directory, f"stage.{number}")) for number in range(1, 3 * len(targets) + 1)]
    return {
        target: Count(request=stages[3 * at + 1] / requests, deferred=stages[3 * at + 2])
        for at, target in enumerate(targets)
    }


def _program(targets: list[tuple[str, str]], requests: int) -> list[str]:
    plan = [f"{view}/{interface}/{requests}" for view, interface in targets]
    return [sys.executable, "-m", "benchmarks.count", *plan]


def _run(command: list[str], environment: Mapping[str, str], *, check: bool = True) -> str:
    done = subprocess.run(
        command, check=False, cwd=ROOT, env=environment or None, capture_output=True, text=True
    )
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stderr


def _counted_by_perf(words: str) -> int:
    found = re.search(r"^(\d+),.*instructions", words, re.MULTILINE)
    return int(found[1]) if found else 0


def _total(stage: Path) -> int:
    found = re.search(r"^(?:totals|summary): (\d+)", stage.read_text(), re.MULTILINE)
    if not found:
        raise RuntimeError(f"callgrind wrote no total into {stage.name}")
    return int(found[1])
