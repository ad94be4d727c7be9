"""The request of a replay is the one that came: whatever fields and files are called."""

from __future__ import annotations

from typing import Any

import pytest
from django.http.multipartparser import MultiPartParserError
from django.test import override_settings
from hypothesis import given, settings
from hypothesis import strategies as st

from django_qaprod.forms.resending import environ, request_of
from django_qaprod.sent import SentFile

from .kept import sent

text = st.text(st.characters(codec="utf-8"), max_size=40)
# Django strips the names of fields, and gives a file without a name to nobody.
names = text.map(str.strip).filter(bool)
file_names = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters="/\\"), min_size=1
)
hostile = st.sampled_from(
    ['a"; name="b', "a\r\nX-Evil: 1\r\n\r\n", "a*0*", "=?utf-8?q?x?=", "a';b", "%22", "&lt;"]
)


def request(**fields: Any) -> Any:
    return request_of(environ(sent(**{"files": (), **fields}), "r"))


@settings(deadline=None)
@given(st.lists(st.tuples(names | hostile.map(str.strip), text | hostile), min_size=1, max_size=5))
def test_fields_come_as_they_were_sent(fields: list[tuple[str, str]]) -> None:
    found = request(fields=tuple(fields)).POST
    assert [(name, value) for name, values in found.lists() for value in values] == sorted_like(fields)


def sorted_like(fields: list[tuple[str, str]]) -> list[tuple[str, str]]:
    order = list(dict.fromkeys(name for name, _ in fields))
    return [(name, value) for first in order for name, value in fields if name == first]


@settings(deadline=None)
@given(file_names.filter(lambda name: name not in {".", ".."}), st.binary(max_size=200))
def test_files_come_as_they_were_sent(name: str, content: bytes) -> None:
    one = SentFile(field="cv", name=name[:255], content_type="text/x-y", content=content)
    found = request(files=(one,)).FILES["cv"]
    assert (found.name, found.content_type, found.read()) == (name[:255], "text/x-y", content)


@settings(deadline=None)
@given(hostile | names, hostile | text, hostile | text)
def test_nothing_gets_out_of_its_header(field: str, name: str, content_type: str) -> None:
    one = SentFile(field=field, name=name, content_type=content_type, content=b"x")
    made = request(fields=(("kept", "1"),), files=(one,))
    assert made.POST.dict() == {"kept": "1"}
    assert len(made.FILES) == 1
    [found] = made.FILES.values()
    assert found.read() == b"x"
    assert found.name.isprintable()


@pytest.mark.parametrize(
    ("name", "comes"),
    [
        ("", "file"),
        ("..", "file"),
        ("a/", "file"),
        ("\\", "file"),
        ("../b", "b"),
        (" ", " "),
        (" a b ", " a b "),
        ("&lt;&amp;.pdf", "&lt;&amp;.pdf"),
    ],
)
def test_no_file_is_lost_for_its_name(name: str, comes: str) -> None:
    one = SentFile(field="cv", name=name, content_type="", content=b"x")
    assert request(files=(one,)).FILES["cv"].name == comes


def test_the_longest_name_of_a_file_fits() -> None:
    one = SentFile(field="cv", name="漢" * 251 + ".pdf", content_type="", content=b"x")
    assert request(files=(one,)).FILES["cv"].name == one.name


def test_text_within_the_limit_is_within_it_again() -> None:
    with override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=3100):
        assert len(request(fields=(("letter", "é" * 1500),)).POST["letter"]) == 1500


@pytest.mark.parametrize(
    ("script", "path", "info"),
    [
        ("", "/caf%C3%A9/?a=1&b=%C3%A9", "/café/"),
        ("/app", "/app/caf%C3%A9/?a=1&b=%C3%A9", "/café/"),
        ("/app", "/app", "/"),
    ],
)
def test_it_comes_to_the_same_address(script: str, path: str, info: str) -> None:
    made = request(path=path, script=script, host="[::1]:8443")
    assert made.path_info == info
    assert made.META["SERVER_PORT"] == "8443"
    if "?" in path:
        assert made.get_full_path() == path
        assert made.GET["b"] == "é"


def test_what_has_no_fields_is_a_post_all_the_same() -> None:
    assert request(fields=()).POST


def test_without_a_port_it_is_the_scheme_s() -> None:
    assert request(host="example.org").META["SERVER_PORT"] == "443"
    assert request(host="example.org", secure=False).META["SERVER_PORT"] == "80"


def test_a_name_that_is_too_long_for_a_header_is_refused_and_not_lost() -> None:
    with pytest.raises(MultiPartParserError):
        _ = request(fields=(("漢" * 400, "x"), ("kept", "1"))).POST
