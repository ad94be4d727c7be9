"""The scrubber for a whole event: what nobody else should know is in no corner of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import RequestFactory
from django.urls import ResolverMatch
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from django_qaprod import context
from django_qaprod.contrib.sentry import scrub_event
from django_qaprod.pipeline import guard
from tests.pipeline.test_scrub import CANARY, PLACES

ID = "01a224e4bff2742c9c0eaa3e141862f6"


def scrubbed(**event: Any) -> Any:
    return scrub_event(event, {})  # type: ignore[typeddict-item]


def everywhere(text: str) -> dict[str, Any]:
    """Return an event that has a text wherever one can be."""
    frame = {
        "filename": "jobs/views.py",
        "function": "apply",
        "lineno": 3,
        "in_app": True,
        "vars": {"words": text, "data": {"nested": [text]}},
    }
    exception = {"type": "ValueError", "value": text, "stacktrace": {"frames": [frame]}}
    return {
        "event_id": ID,
        "exception": {"values": [exception]},
        "threads": {"values": [{"stacktrace": {"frames": [frame]}}]},
        "logentry": {"message": text, "formatted": text, "params": [text]},
        "message": text,
        "transaction": text,
        "tags": {"words": text},
        "extra": {"words": text, "nested": {"list": [{"words": text}]}},
        "contexts": {"theirs": {"words": text}},
        "breadcrumbs": {"values": [{"message": text, "data": {"words": text}}]},
        "request": {"url": f"https://jobs.example/{text}", "data": {"words": text}, "env": {"X": text}},
        "fingerprint": [text],
        "spans": [{"description": text, "data": {"words": text}}],
    }


@pytest.mark.parametrize("place", PLACES)
def test_a_secret_is_taken_out_of_every_text(place: str) -> None:
    assert CANARY not in json.dumps(scrubbed(**everywhere(place.format(CANARY))))


@pytest.mark.parametrize("key", ["password", "api_key", "Authorization", "sessionid", "csrftoken", "iban"])
def test_a_secret_is_taken_out_wherever_its_key_says_so(key: str) -> None:
    event = scrubbed(
        extra={key: CANARY, "deep": [{key: {"more": CANARY}}], "pairs": [[key, CANARY]]},
        tags=[[key, CANARY]],
        contexts={"theirs": {key: [CANARY]}},
        breadcrumbs={"values": [{"data": {key: CANARY}}]},
        exception={"values": [{"stacktrace": {"frames": [{"vars": {key: f"'{CANARY}'"}}]}}]},
        request={"data": {key: CANARY}, "headers": {key: CANARY}},
    )
    assert CANARY not in json.dumps(event)


def test_of_a_request_what_tells_who_somebody_is_goes() -> None:
    event = scrubbed(
        request={
            "method": "POST",
            "url": "https://ada:secret@jobs.example/reset/MQ/c4n4ry/?email=ada#top",
            "query_string": "next=/reset/MQ/c4n4ry/&email=ada",
            "cookies": {"theme": "c4n4ry"},
            "headers": {
                "Host": "jobs.example",
                "User-Agent": "Firefox/128",
                "Cookie": "theme=c4n4ry",
                "Referer": "https://jobs.example/reset/MQ/c4n4ry/",
                "X-Forwarded-For": "203.0.113.7",
                "X-Internal": "c4n4ry",
            },
            "env": {"REMOTE_ADDR": "203.0.113.7", "SERVER_NAME": "web-1"},
        },
        transaction="/reset/{uidb64}/{token}/",
        transaction_info={"source": "route"},
        user={"id": 7, "email": "ada@jobs.example", "username": "ada", "ip_address": "203.0.113.7"},
        breadcrumbs={"values": [{"message": "GET /reset/MQ/c4n4ry/", "data": {"http.query": "c4n4ry"}}]},
        extra={"sys.argv": ["manage.py", "--to", "c4n4ry"], "celery-job": {"args": ["c4n4ry"]}},
    )
    words = json.dumps(event)
    for secret in ("c4n4ry", "203.0.113.7", "ada", "secret"):
        assert secret not in words
    assert event["request"]["url"] == "https://jobs.example/reset/{uidb64}/{token}/"
    assert event["request"]["method"] == "POST"
    assert event["request"]["headers"]["User-Agent"] == "Firefox/128"
    assert event["user"] == {"id": "7"}
    assert event["breadcrumbs"]["values"][0]["message"] == "GET /reset/{uidb64}/{token}/"


def test_the_path_of_what_is_served_is_replaced_by_its_route() -> None:
    request = RequestFactory().get("/reset/é/c4n4ry/")
    request.resolver_match = ResolverMatch(print, (), {}, route="reset/<token>/")
    token = context.enter(context.Context(request))
    try:
        event = scrubbed(
            request={"url": "http://jobs.example/reset/é/c4n4ry/"},
            exception={"values": [{"value": "nothing at /reset/é/c4n4ry/"}]},
        )
    finally:
        context.leave(token)
    assert "c4n4ry" not in json.dumps(event)
    assert event["request"]["url"] == "http://jobs.example/reset/<token>/"


def test_where_no_route_is_known_the_path_is_gone() -> None:
    event = scrubbed(
        request={"url": "http://jobs.example/reset/c4n4ry/"},
        transaction="/reset/c4n4ry/",
        transaction_info={"source": "url"},
    )
    assert "c4n4ry" not in json.dumps(event)


@pytest.mark.parametrize(("how", "user"), [("hash", {"id": "x"}), ("off", None)])
def test_the_users_id_is_as_the_settings_say(how: str, user: Any, settings: Settings) -> None:
    settings.QAPROD = {"USER_IDS": how}
    found = scrubbed(user={"id": "7"}).get("user")
    assert (found is None) == (user is None)
    assert found != {"id": "7"}


def test_what_the_event_is_made_of_stays() -> None:
    given = {
        "event_id": ID,
        "timestamp": "2024-05-01T10:00:00Z",
        "level": "error",
        "platform": "python",
        "release": "jobs@6a1f0c9b2e4d8f7a3b5c1d0e9f8a7b6c5d4e3f2a",
        "environment": "production",
        "server_name": "web-1",
        "sdk": {"name": "sentry.python.django", "packages": [{"name": "pypi:sentry-sdk"}]},
        "modules": {"pyjwt": "2.8.0", "django-session-timeout": "0.1"},
        "contexts": {
            "trace": {"trace_id": "0af7651916cd43dd8448eb211c80319c", "span_id": "b7ad6b7169203331"}
        },
        "exception": {
            "values": [
                {
                    "type": "LookupError",
                    "module": "jobs.errors",
                    "value": "no vacancy 3",
                    "mechanism": {"type": "django", "handled": False},
                    "stacktrace": {
                        "frames": [
                            {
                                "abs_path": "/srv/jobs/token/views.py",
                                "filename": "jobs/token/views.py",
                                "function": "reset_password",
                                "module": "jobs.token.views",
                                "lineno": 3,
                                "in_app": True,
                                "pre_context": ["def reset_password(request):"],
                                "context_line": "    raise LookupError(f'no vacancy {n}')",
                                "post_context": [],
                                "vars": {"n": "3", "ready": None},
                            }
                        ]
                    },
                }
            ]
        },
        "tags": {"qaprod.failure": "v1:2e42471558497025b91cbba1615fc671", "route": "orders/<int:pk>/"},
        "extra": {"count": 3, "share": 0.5, "ready": True, "nothing": None},
    }
    assert scrubbed(**given) == given


def test_secrets_in_source_lines_go() -> None:
    frame = {"context_line": "login(password='c4n4ry')", "pre_context": ["token = 'c4n4ry'"]}
    event = scrubbed(exception={"values": [{"stacktrace": {"frames": [frame]}}]})
    assert "c4n4ry" not in json.dumps(event)


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=20,
)


@given(
    st.dictionaries(
        st.sampled_from(
            ["request", "user", "logentry", "exception", "extra", "tags", "contexts", "transaction"]
        ),
        json_like,
    )
)
def test_whatever_an_event_is_it_can_be_scrubbed(event: dict[str, Any]) -> None:
    guard.take()
    assert json.dumps(scrubbed(**event)) is not None
    assert guard.take() is None


def test_an_event_that_cannot_be_scrubbed_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    guard.take()
    monkeypatch.setattr("django_qaprod.pipeline.scrub.text", lambda *args: 1 / 0)
    assert scrubbed(message="x") is None
    tally = guard.take()
    assert tally is not None
    assert tally.errors == {"sentry.scrub": 1}


def test_what_is_no_data_is_named_by_its_type() -> None:
    circle: list[Any] = []
    circle.append(circle)
    event = scrubbed(extra={"hostile": Hostile(), "circle": circle, "number": 4111111111111111})
    assert event["extra"]["hostile"] == "<Hostile>"
    assert event["extra"]["number"] == "[card]"
