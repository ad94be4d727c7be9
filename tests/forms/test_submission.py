"""What is taken of a request: the form's own fields, and never a secret."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any

import pytest
from django import forms
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.core.files.uploadedfile import SimpleUploadedFile
from django.forms import formset_factory
from django.http import HttpRequest
from django.test import RequestFactory
from django.utils import translation
from django.views.decorators.debug import sensitive_post_parameters
from hypothesis import given, strategies
from pytest_django import Settings

from django_qaprod.exceptions import CannotKeepError
from django_qaprod.forms.options import ServeOptions
from django_qaprod.forms.privacy import FieldName, describe, names_of
from django_qaprod.forms.submission import collect
from django_qaprod.sent import Submission

CANARY = "Xk9canaryQ7vZ2mLw8"
FORM = "application/x-www-form-urlencoded"
CARD = "4111 1111 1111 1111"


class Address(forms.MultiWidget):
    def __init__(self) -> None:
        super().__init__({"street": forms.TextInput(), "door_pin": forms.TextInput()})

    def decompress(self, value: Any) -> list[Any]:
        return [None, None]


class Application(forms.Form):
    """Fields of all kinds; none that is private is required."""

    name = forms.CharField(show_hidden_initial=True)
    letter = forms.CharField(widget=forms.Textarea, required=False)
    born = forms.DateField(widget=forms.SelectDateWidget, required=False)
    address = forms.MultiValueField(
        fields=(forms.CharField(), forms.CharField()), widget=Address, required=False
    )
    phone = forms.CharField(required=False)
    cv = forms.FileField(required=False)
    card = forms.CharField(required=False)
    card_type = forms.CharField(required=False)
    sort = forms.CharField(required=False)
    sort_code = forms.CharField(required=False)
    pass_word = forms.CharField(widget=forms.PasswordInput, required=False)
    number = forms.CharField(
        widget=forms.TextInput(attrs={"autocomplete": "billing cc-number"}), required=False
    )
    once = forms.CharField(widget=forms.TextInput(attrs={"autocomplete": "one-time-code"}), required=False)
    gender = forms.CharField(required=False)
    religion = forms.CharField(required=False)
    authorised_to_work = forms.CharField(required=False)
    qaprod_private = ("religion", "sort")
    qaprod_kept = ("authorised_to_work",)


def options(**given: Any) -> ServeOptions:
    return ServeOptions(forms={"form": Application}, **given)


def post(data: dict[str, Any], path: str = "/apply/7/") -> HttpRequest:
    return RequestFactory().post(path, data)


def collected(data: dict[str, Any], **given: Any) -> Submission:
    chosen = options(**given)
    return collect(post(data), chosen, names_of(Application(), private=chosen.private))


def test_the_form_s_own_fields_are_kept_in_their_order() -> None:
    sent = collected(
        {"name": "Ada", "letter": "Dear all,\r\nüñ", "born_year": "1815", "csrfmiddlewaretoken": "t"}
    )
    assert sent.fields == (("name", "Ada"), ("letter", "Dear all,\r\nüñ"), ("born_year", "1815"))
    assert not sent.withheld


@pytest.mark.parametrize(
    "key",
    [
        "stranger", "csrfmiddlewaretoken", "card", "card_0", "pass_word", "initial-pass_word", "number",
        "once", "religion", "gender", "sort", "address_door_pin", "name_api_token", "sort_day",
        "initial-card",
    ],
)  # fmt: skip
def test_a_canary_is_never_kept(key: str) -> None:
    assert CANARY not in repr(collected({"name": "Ada", key: CANARY}, private=("gender",)))


@pytest.mark.parametrize(
    "key",
    [
        "name", "initial-name", "born_year", "address_street", "sort_code", "authorised_to_work",
        "cv-clear", "letter",
    ],
)  # fmt: skip
def test_all_names_of_a_field_s_parts_are_its_own(key: str) -> None:
    assert (key, CANARY) in collected({key: CANARY}).fields


def test_what_is_no_field_is_kept_if_it_is_asked_for() -> None:
    sent = collected(
        {"name": "Ada", "save": "1", "step": f"a card, {CARD}", "save_too": "2", "paid": CARD},
        keys=("save", "step", "paid", "absent"),
    )
    assert sent.fields == (("name", "Ada"), ("save", "1"), ("step", "a card, [card]"))
    assert sent.withheld == ("step", "paid")


@pytest.mark.parametrize("key", ["card", "pass_word", "once", "address_door_pin"])
def test_what_belongs_to_a_private_field_is_not_kept_whatever_is_asked_for(key: str) -> None:
    assert CANARY not in repr(collected({"name": "Ada", key: CANARY}, keys=(key,)))


def test_what_is_marked_as_sensitive_is_not_kept_whatever_is_asked_for() -> None:
    request: Any = post({"name": "Ada", "save": CANARY})
    request.sensitive_post_parameters = ["save"]
    assert CANARY not in repr(collect(request, options(keys=("save",)), names_of(Application())))


@pytest.mark.parametrize("data", [{}, {"csrfmiddlewaretoken": "t"}])
def test_a_lone_button_sends_nothing_or_its_token(data: dict[str, str]) -> None:
    request = RequestFactory().post("/", "&".join(f"{name}={data[name]}" for name in data), FORM)
    assert collect(request, options(), ()).fields == ()


def test_what_is_withheld_is_named() -> None:
    sent = collected({"name": "Ada", "religion": "x", "letter": f"Take {CARD}."})
    assert sent.withheld == ("religion", "letter")


def test_the_longest_name_owns_a_key() -> None:
    names = [
        FieldName(html_name="a", private=True),
        FieldName(html_name="a_b"),
        FieldName(html_name="a_b_c", private=True),
    ]
    data = {"a": "1", "a_x": "2", "a_b": "3", "a_b_x": "4", "a_b_c": "5", "a_b_c_x": "6"}
    assert [key for key, _ in collect(post(data), options(), names).fields] == ["a_b", "a_b_x"]


def test_a_megabyte_of_underscores_does_not_take_long() -> None:
    request = RequestFactory().post(
        "/", "name=Ada&n" + "_" * 1_000_000 + "=x", content_type="application/x-www-form-urlencoded"
    )
    assert collect(request, options(), names_of(Application())).fields == (("name", "Ada"),)


def test_a_secret_part_of_a_required_field_makes_it_unkeepable() -> None:
    names = [FieldName(html_name="address", required=True)]
    with pytest.raises(CannotKeepError):
        collect(post({"address_street": "x", "address_pin": "1"}), options(), names)


def test_empty_private_fields_are_no_loss() -> None:
    names = [FieldName(html_name="pin", private=True, required=True), FieldName(html_name="name")]
    sent = collect(post({"pin": "", "name": "Ada"}), options(), names)
    assert sent.fields == (("pin", ""), ("name", "Ada"))


def test_a_required_field_that_must_not_be_stored_makes_it_unkeepable() -> None:
    names = [FieldName(html_name="pin", private=True, required=True)]
    with pytest.raises(CannotKeepError, match="'pin' is required"):
        collect(post({"pin": "1234"}), options(), names)


@pytest.mark.parametrize("marked", [("name",), ()])
def test_what_the_view_marked_as_sensitive_is_not_kept(marked: tuple[str, ...]) -> None:
    request = post({"letter": "x", "name": CANARY})

    @sensitive_post_parameters(*marked)
    def view(request: HttpRequest) -> None:
        pass

    view(request)
    names = [FieldName(html_name="letter"), FieldName(html_name="name")]
    sent = collect(request, options(), names)
    assert CANARY not in repr(sent)
    assert sent.fields == ((("letter", "x"),) if marked else ())


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (f"My card is {CARD}, thanks", "My card is [card], thanks"),
        ("4111-1111-1111-1111 or 378282246310005", "[card] or [card]"),
        ("4111 1111 1111 1112", "4111 1111 1111 1112"),
        ("call +4915112345675", "call +4915112345675"),
        ("1815-12-10 and 2020", "1815-12-10 and 2020"),
    ],
)
def test_card_numbers_are_masked_in_longer_text(value: str, kept: str) -> None:
    assert dict(collected({"letter": value}).fields)["letter"] == kept


def test_a_value_that_is_a_card_is_withheld_and_breaks_a_required_field() -> None:
    assert collected({"letter": f" {CARD} "}).withheld == ("letter",)
    with pytest.raises(CannotKeepError):
        collected({"name": CARD})


@pytest.mark.parametrize("number", ["4915112345675", "491511234567896", "+4915112345675", "0031 6 12345678"])
def test_a_phone_number_is_not_taken_for_a_card(number: str) -> None:
    assert ("phone", number) in collected({"phone": number}).fields


def test_a_card_number_in_a_phone_field_is_withheld_all_the_same() -> None:
    assert collected({"phone": CARD}).withheld == ("phone",)


@pytest.mark.parametrize(
    ("field", "private", "phone"),
    [
        (forms.CharField(widget=forms.PasswordInput), True, False),
        (
            forms.CharField(widget=forms.TextInput(attrs={"autocomplete": "section-a NEW-PASSWORD"})),
            True,
            False,
        ),
        (forms.CharField(widget=forms.TextInput(attrs={"autocomplete": "tel-national"})), False, True),
        (forms.CharField(widget=forms.TextInput(attrs={"type": "tel"})), False, True),
        (forms.CharField(), False, False),
    ],
)
def test_a_field_is_judged_by_its_widget(field: forms.Field, private: bool, phone: bool) -> None:
    name = describe("x", field)
    assert (name.private, name.phone) == (private, phone)


class Line(forms.Form):
    what = forms.CharField(required=False)
    pin = forms.CharField(required=False)


def test_forms_of_a_formset_that_the_page_has_added_are_kept() -> None:
    lines = formset_factory(Line, can_delete=True)
    data = {
        "form-TOTAL_FORMS": "3", "form-INITIAL_FORMS": "0", "form-0-what": "a", "form-7-what": "b",
        "form-7-pin": CANARY, "form-0-DELETE": "on", "form-0-other": CANARY, "what": CANARY,
    }  # fmt: skip
    for known in (lines(prefix="form"), lines, lines(data)):
        sent = collect(post(data), options(), names_of(known))
        assert CANARY not in repr(sent)
        keys = {key for key, _ in sent.fields}
        assert {"form-TOTAL_FORMS", "form-INITIAL_FORMS", "form-0-what", "form-7-what"} <= keys


def test_prefixed_forms_are_known_by_their_prefix() -> None:
    form = Application(prefix="token-1")
    sent = collect(
        post({"token-1-name": "Ada", "name": "no", "token-1-card": CANARY}), options(), names_of(form)
    )
    assert sent.fields == (("token-1-name", "Ada"),)


HOSTILE = ["../../etc/passwd", "a\x00b", "\u202egpj.exe", "x" * 10_000, "<script>", "=cmd"]


@pytest.mark.parametrize("name", HOSTILE)
def test_files_are_kept_whole_whatever_they_are_called(name: str) -> None:
    request = post({"name": "Ada"})
    upload = SimpleUploadedFile("cv.pdf", b"%PDF\x00\xff", "application/pdf")
    upload._name = name  # type: ignore[attr-defined]
    upload.read()
    request.FILES.appendlist("cv", upload)
    request.FILES.appendlist("stranger", SimpleUploadedFile("x", b"x"))
    [file] = collect(request, options(), names_of(Application())).files
    assert (file.field, file.name, file.content, file.content_type) == (
        "cv",
        name,
        b"%PDF\x00\xff",
        "application/pdf",
    )


def test_what_is_too_large_cannot_be_kept(settings: Settings) -> None:
    settings.QAPROD = {"RESCUE_MAX_BYTES": 100}
    with pytest.raises(CannotKeepError, match="RESCUE_MAX_BYTES"):
        collected({"name": "x" * 101})
    with pytest.raises(CannotKeepError, match="files included"):
        collected({"name": "x" * 50, "cv": SimpleUploadedFile("cv", b"x" * 60)})


def test_a_file_that_the_view_has_closed_cannot_be_kept() -> None:
    request = post({"name": "Ada", "cv": BytesIO(b"x")})
    upload: Any = request.FILES["cv"]
    upload.close()
    with pytest.raises(CannotKeepError, match="once more"):
        collect(request, options(), names_of(Application()))


def test_what_is_no_form_cannot_be_kept() -> None:
    request = RequestFactory().post("/", b'{"name": "Ada"}', content_type="application/json")
    with pytest.raises(CannotKeepError, match="read"):
        collect(request, options(), names_of(Application()))


def test_a_body_that_cannot_be_read_cannot_be_kept(settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_NUMBER_FIELDS = 2
    request = RequestFactory().post("/", {str(number): "x" for number in range(5)})
    with pytest.raises(CannotKeepError, match="read"):
        collect(request, options(), names_of(Application()))


def test_the_address_is_kept_without_secrets() -> None:
    request = post({"name": "Ada"}, f"/apply/7/?from=mail&token={CANARY}&n={CARD.replace(' ', '')}")
    sent = collect(request, options(), names_of(Application()))
    assert sent.path == "/apply/7/?from=mail"
    assert sent.withheld == ("?token", "?n")
    assert (
        collect(post({"name": "x"}, "/a/?b=%20c&b="), options(), names_of(Application())).path
        == "/a/?b=%20c&b="
    )


def test_host_scheme_and_language_are_kept() -> None:
    request = RequestFactory().post("/", {"name": "Ada"}, secure=True, headers={"host": "localhost:8443"})
    with translation.override("nl"):
        sent = collect(request, options(), names_of(Application()))
    assert (sent.host, sent.secure, sent.locale) == ("localhost:8443", True, "nl")


def test_the_user_is_looked_up_although_the_view_had_not_done_so(settings: Settings) -> None:
    settings.QAPROD = {"USER_IDS": "hash"}
    request: Any = post({"name": "Ada"})
    request.user = User(pk=17)
    sent = collect(request, options(), names_of(Application()))
    assert (sent.user, sent.user_unknown) == ("17", False)
    request.user = AnonymousUser()
    sent = collect(request, options(), names_of(Application()))
    assert (sent.user, sent.user_unknown) == ("", False)


class Dead:
    @property
    def pk(self) -> int:
        raise OSError("no database")


def test_a_user_who_cannot_be_established_is_not_nobody() -> None:
    request: Any = post({"name": "Ada"})
    request.user = Dead()
    assert collect(request, options(), names_of(Application())).user_unknown
    assert not collect(request, options(), names_of(Application()), database=False).user_unknown
    request.COOKIES["sessionid"] = "s"
    assert collect(request, options(), names_of(Application()), database=False).user_unknown
    request.user = AnonymousUser()
    assert not collect(request, options(), names_of(Application()), database=False).user_unknown


def test_only_session_keys_that_were_asked_for_are_kept() -> None:
    request: Any = post({"name": "Ada"})
    request.session = SessionStore()
    request.session.update({"cart": [1, {"a": 2}], "secret": CANARY, "odd": object()})
    request.session.modified = False
    sent = collect(request, options(session=("cart", "odd", "absent")), names_of(Application()))
    assert sent.session == {"cart": [1, {"a": 2}]}
    assert sent.withheld == ("session:odd",)


def test_what_the_failed_view_changed_in_the_session_is_not_meant() -> None:
    stored = SessionStore()
    stored["step"] = 1
    stored.save()
    request: Any = post({"name": "Ada"})
    request.session = SessionStore(stored.session_key)
    request.session["step"] = 2
    assert collect(request, options(session=("step",)), names_of(Application())).session == {"step": 1}


def test_fields_that_were_shown_as_free_text_are_named() -> None:
    sent = collected({"name": "Ada", "qaprod_free_text": "born,stranger,letter"})
    assert sent.free_text == ("letter", "born")


KEYS = ("card", "card_0", "pass_word", "religion", "token", "stranger", "initial-card", "address_door_pin")


@given(
    secrets=strategies.dictionaries(strategies.sampled_from(KEYS), strategies.just(CANARY), min_size=1),
    others=strategies.dictionaries(
        strategies.sampled_from(("name", "letter", "born_day", "phone")), strategies.text()
    ),
)
def test_no_mixture_of_fields_lets_a_canary_through(secrets: dict[str, str], others: dict[str, str]) -> None:
    try:
        sent = collected({**others, **secrets})
    except CannotKeepError:
        return
    assert CANARY not in json.dumps([sent.fields, sent.session, sent.path])
    assert not sent.files
    assert {key for key, _ in sent.fields} <= set(others)
