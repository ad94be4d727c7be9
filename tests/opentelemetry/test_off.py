"""A host that does not ask for it has nothing of OpenTelemetry in its processes."""

from __future__ import annotations

from pathlib import Path

from tests.foundation.test_startup import run


def test_nothing_is_imported_while_it_is_off(tmp_path: Path) -> None:
    script = """
    process.IMPORT_AFTER = 0
    get("/plain/")
    get("/broken/")
    end = time.monotonic() + 60
    while not process.status().draining and time.monotonic() < end:
        time.sleep(0.01)
    answer({"theirs": imported("opentelemetry"), "listed": settings.MIDDLEWARE})
    """
    found = run(tmp_path, script)
    assert found["theirs"] == []
    assert not [entry for entry in found["listed"] if "opentelemetry" in entry]
