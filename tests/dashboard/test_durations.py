from __future__ import annotations

import pytest

from django_qaprod.dashboard import durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5 min", 300.0),
        ("5min", 300.0),
        ("90 s", 90.0),
        ("2h", 7200.0),
        ("1 d 12 h", 129_600.0),
        ("1.5 hours", 5400.0),
        ("1,5 h", 5400.0),
        ("2 weeks", 1_209_600.0),
        ("10", 600.0),
        (" 1 H 30 MIN ", 5400.0),
        ("0 s", 0.0),
    ],
)
def test_a_time_is_read_as_people_type_it(text: str, seconds: float) -> None:
    """With or without spaces, with a point or a comma; a number alone is of minutes."""
    assert durations.read(text) == seconds


@pytest.mark.parametrize(
    "text", ["", " ", "soon", "5 parsecs", "-5 min", "min", "5 min!", "1e3 s", "٣ min", "inf"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    """Rather than guessed at."""
    with pytest.raises(ValueError, match="is no time"):
        durations.read(text)


@pytest.mark.parametrize(
    "seconds", [0.0, 0.5, 59.0, 60.0, 61.5, 3600.0, 5400.0, 86_400.0, 2_592_000.0, 123_456.0]
)
def test_what_is_written_is_read_as_the_same(seconds: float) -> None:
    """A form that is sent back as it was shown changes nothing."""
    assert durations.read(durations.written(seconds)) == seconds


def test_a_time_is_written_in_its_units() -> None:
    """The largest first, and none that is zero."""
    assert durations.written(300) == "5 min"
    assert durations.written(129_660) == "1 d 12 h 1 min"
    assert durations.written(0) == "0 s"
