from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from django_qaprod.pipeline import scrub

CANARY = "c4n4ry-Hunter2"

#: Every place in which a secret has been seen in a message, with ``{}`` where it stands.
PLACES = (
    "password={}",
    "password={} is wrong",
    "login failed: password = '{}'",
    '{{"password": "{}"}}',
    "{{'user': {{'api_key': '{}', 'id': 3}}}}",
    r"{{\"password\": \"{}\"}}",
    "{{'password': b'{}'}}",
    "user_password: {}",
    "userPassword={}&next=/",
    "PASSWORD={}",
    "new_password1=['{}', 'x']",
    "password[0]={}",
    "user[password][0][nl]={}",
    "(b'password', b'{}')",
    "Fields ['token', 'password={}']",
    "[('Authorization', 'Token {}'), ('Accept', '*/*')]",
    "Authorization: Bearer {}",
    "Cookie: a=b; sessionid={}; c=d",
    "HTTP_COOKIE: x; y={}",
    "Authorization: Basic {}",
    "secret_token: {}",
    "connect(user='x', passwd='{}')",
    "postgres://user:{}@db/name",
    "redis://:{}@cache:6379/0 refused",
    "GET https://example.org/reset?key={}&x=1 failed",
    "GET /reset?next={} failed",
    "https://example.org/callback#access={}",
    'duplicate key value violates unique constraint "x"\nDETAIL:  Key (email)=({}) already exists.',
    "Key (a, b)=(1, {}) is not present in table",
    "DETAIL:  Failing row contains (1, {}, null).",
    "Duplicate entry '{}' for key 'users.email'",
    r"Duplicate entry \'{}\' for key \'users.email\'",
    'invalid input syntax for type integer: "{}"',
    r"invalid input syntax for type integer: \"{}\"",
    "syntax error\nLINE 1: SELECT * FROM t WHERE a = '{}'\n        ^",
    r"syntax error\nLINE 1: SELECT * FROM t WHERE a = '{}'\n        ^",
    "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----",
    "-----BEGIN PRIVATE KEY-----\n{}",
)
secrets = st.text(
    st.sampled_from("abcdefghijkmnopqrstuvwxyzABCDEFGH0123456789"), min_size=8, max_size=40
).map(lambda word: f"Z9{word}")


@pytest.mark.parametrize("place", PLACES)
def test_a_secret_is_taken_out_of_a_message(place: str) -> None:
    assert CANARY not in scrub.text(place.format(CANARY))


@given(secret=secrets, place=st.sampled_from(PLACES), before=st.text(max_size=30), after=st.text(max_size=30))
@example(secret="Z9aaaaaaaa", place="password={}", before="Ğ ", after="")
def test_no_words_around_a_secret_let_it_through(secret: str, place: str, before: str, after: str) -> None:
    # What stands right before a name can make it another name; prose has spaces.
    assert secret not in scrub.text(f"{before} {place.format(secret)} {after}", 8_000)


@pytest.mark.parametrize(
    ("secret", "left"),
    [
        ("4111 1111 1111 1111", "[card]"),
        ("5500-0000-0000-0004", "[card]"),
        ("NL91 ABNA 0417 1643 00", "[iban]"),
        ("DE89370400440532013000", "[iban]"),
        ("jan.jansen+jobs@example.co.uk", "[email]"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "[scrubbed]"),
        ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", "[scrubbed]"),
        ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "[scrubbed]"),
        ("pbkdf2_sha256$600000$abc$def=", "[scrubbed]"),
        ("c5xk3y-0123456789abcdef0123456789abcdef", "[scrubbed]"),
        ("9944b09199c62bcf9418ad846dd0e4bbdfc6ee4b", "[scrubbed]"),
        ("k3j9x0a7b2m4n6p8q1r5s7t9v2w4y6z8", "[scrubbed]"),
    ],
)
def test_a_secret_is_known_by_its_looks(secret: str, left: str) -> None:
    assert scrub.text(f"we saw {secret} here") == f"we saw {left} here"


@pytest.mark.parametrize(
    "ordinary",
    [
        "application 12345 has no school",
        "'NoneType' object has no attribute 'email'",
        "KeyError: 'password'",
        "Missing fields ['password', 'email']",
        "shipping to the company inside the mapping failed",
        "123e4567-e89b-12d3-a456-426614174000 was not found",
        "trace 0123456789abcdef0123456789abcdef",
        "test_a_very_long_function_name_that_goes_on_and_on",
        "order 4111111111111112 of 2024-01-02",
        "cardinality=5 discarded=3",
        "what is this? nobody knows",
    ],
)
def test_ordinary_text_stays_as_it_is(ordinary: str) -> None:
    assert scrub.text(ordinary) == ordinary


def test_data_is_scrubbed_by_key_and_by_value_at_every_depth() -> None:
    scrubbed: Any = scrub.json(
        {
            "userPassword": CANARY,
            "form": [{"api-key": {"nested": CANARY}, "pin": 1234, "shipping": "post"}],
            "note": f"password={CANARY}",
            "number": 4111111111111111,
            "has_token": True,
            "empty_token": "",
        }
    )
    assert CANARY not in json.dumps(scrubbed)
    assert scrubbed["form"][0]["pin"] == "[scrubbed]"
    assert scrubbed["form"][0]["shipping"] == "post"
    assert scrubbed["number"] == "[card]"
    assert scrubbed["has_token"] is True
    assert scrubbed["empty_token"] == ""


@given(st.text(st.sampled_from("aZ09_+=- .é"), max_size=60))
def test_the_look_from_far_away_sees_what_the_close_one_sees(words: str) -> None:
    assert scrub._looks_secret(words) is (scrub._LOOKS_SECRET.search(words) is not None)


def test_many_texts_are_scrubbed_as_one_is() -> None:
    assert scrub.texts(["a", "b\x00"]) == ["a", "b\ufffd"]
    assert scrub.texts(["a", f"password={CANARY}", "x" * 2000], 10) == ["a", "password=…", "xxxxxxxxx…"]
    assert scrub.texts([]) == []


@pytest.mark.parametrize(
    ("key", "value", "left"),
    [
        ("userPassword", CANARY, "[scrubbed]"),
        ("password", [CANARY], "[scrubbed]"),
        ("has_token", True, True),
        ("note", f"password={CANARY}", "password=[scrubbed]"),
        ("number", 4111111111111111, "[card]"),
        ("number", 12, 12),
        ("p" * 200 + "in", 12, 12),
        ("x" * 200 + "_pin", 12, "[scrubbed]"),
        ("thing", object(), "<object>"),
    ],
)
def test_a_value_is_scrubbed_by_its_key_and_by_itself(key: str, value: Any, left: Any) -> None:
    assert scrub.under(key, value) == left


def test_the_host_adds_keys_and_patterns(settings: Settings) -> None:
    settings.QAPROD = {"SCRUB_KEYS": ["Dossier"], "SCRUB_PATTERNS": [r"\bP-\d+\b"]}
    assert scrub.text("dossier_nr=abc of P-123") == "dossier_nr=[scrubbed] of [scrubbed]"
    assert scrub.json({"myDossier": "abc"}) == {"myDossier": "[scrubbed]"}
    assert scrub.is_secret_key("dossier")


def test_a_pattern_that_is_none_is_left_out_and_named(settings: Settings) -> None:
    settings.QAPROD = {"SCRUB_PATTERNS": ["(", "x+"]}
    assert scrub.text("axxa") == "a[scrubbed]a"
    assert scrub.bad_patterns() == ["("]


def test_source_code_loses_literals_and_keeps_names() -> None:
    assert scrub.source("password = 'hunter2'") == "password = '[scrubbed]'"
    assert scrub.source('    "api_key": "abc",') == '    "api_key": "[scrubbed]",'
    assert scrub.source('connect("host=x password=hunter2")') == 'connect("host=x password=[scrubbed]")'
    for line in ("token = request.headers['x-token']", "user.set_password(form.cleaned_data['password'])"):
        assert scrub.source(line) == line


def test_text_is_bounded_and_sanitised() -> None:
    assert len(scrub.text("x" * 10_000_000)) == 1000
    assert "\x00" not in scrub.text("a\x00b")
    scrub.text("\ud800").encode()


@pytest.mark.parametrize(
    "hostile",
    [
        "token" * 2000,
        "a" * 8000 + "@",
        "://" * 2500,
        "Key (" * 1600,
        "'" * 8000 + "=(",
        "password='" * 800,
        "?=" * 4000,
    ],
)
def test_hostile_text_does_not_take_long(hostile: str) -> None:
    # Of this thread alone: another process may have the processor meanwhile.
    started = time.thread_time()
    scrub.text(hostile)
    assert time.thread_time() - started < 1


@pytest.mark.parametrize("word", ["cookiea", "pin-", "a_pin_"])
def test_a_hostile_line_of_source_does_not_take_long(word: str) -> None:
    line = (word * 400)[:400]
    started = time.thread_time()
    scrub.source(line)
    assert time.thread_time() - started < 0.1
