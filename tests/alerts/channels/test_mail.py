"""Mail goes out by the host's own backend, to each recipient apart, and says who was refused."""

from __future__ import annotations

import socket
import threading
from typing import Any

import django
import pytest
from django.core import mail

from django_qaprod.alerts.channels.base import PartlySentError
from django_qaprod.alerts.channels.mail import Email
from django_qaprod.exceptions import ChannelError
from tests.servers import free_port

from .mailserver import MailServer, use
from .messages import HOSTILE, message


def channel(*recipients: str, **options: Any) -> Email:
    return Email("mail", email=recipients or ("ada@example.org",), **options)


def test_a_message_arrives_as_text_and_html(mailserver: MailServer) -> None:
    channel("ada@example.org", "bob@example.org").send(message())
    assert mailserver.recipients == ["ada@example.org", "bob@example.org"]
    for sent in mailserver.messages:
        assert sent["Subject"] == "Applications fail"
        assert sent["To"] == "ada@example.org, bob@example.org", "all see who was told"
        text, html = sent.get_body(("plain",)), sent.get_body(("html",))
        assert text is not None
        assert html is not None
        assert "3 in 5 minutes.\nLook:" in text.get_content().replace("\r\n", "\n")
        assert "<p>Applications fail" in html.get_content()


def test_a_duplicate_can_be_recognised_and_nothing_answers_it(mailserver: MailServer) -> None:
    for _ in range(2):
        channel(sender="QA <qa@jobs.example.org>").send(message())
    first, second = mailserver.messages
    assert first["Message-ID"] == second["Message-ID"] == f"<{message().id}@jobs.example.org>"
    assert first["From"] == "QA <qa@jobs.example.org>"
    assert (first["Auto-Submitted"], first["X-QAProd-Severity"]) == ("auto-generated", "error")


@pytest.mark.filterwarnings("ignore:The EMAIL_")
def test_what_the_host_has_set_of_mail_is_kept(mailserver: MailServer, settings: Any) -> None:
    settings.DEFAULT_FROM_EMAIL = "site@example.org"
    channel().send(message())
    settings.SERVER_EMAIL, settings.EMAIL_SUBJECT_PREFIX = "server@example.org", "[jobs] "
    channel().send(message())
    assert [(sent["From"], sent["Subject"]) for sent in mailserver.messages] == [
        ("site@example.org", "Applications fail"),
        ("server@example.org", "[jobs] Applications fail"),
    ]


def test_whoever_has_had_it_does_not_get_it_again_when_it_is_tried_again(mailserver: MailServer) -> None:
    mailserver.refuses = {"bob@example.org": "451 later"}
    sending = channel("ada@example.org", "bob@example.org")
    with pytest.raises(PartlySentError):
        sending.send(message())
    mailserver.refuses = {}
    sending.send(message())
    sending.send(message())
    assert mailserver.recipients == ["ada@example.org", "bob@example.org"]


def test_a_hostile_subject_is_one_line_of_one_header(mailserver: MailServer) -> None:
    channel().send(message(subject=HOSTILE, text=HOSTILE, html=HOSTILE))
    [sent] = mailserver.messages
    assert "Bcc" not in sent
    assert mailserver.recipients == ["ada@example.org"]
    subject = str(sent["Subject"]).strip()
    assert subject.startswith("Down Bcc: thief@example.org <!channel>")
    assert len(subject) < 300
    assert subject.isprintable()
    text = sent.get_body(("plain",))
    assert text is not None
    assert len(text.get_content()) < 25_000


def test_one_who_is_refused_is_named_and_costs_the_others_nothing(mailserver: MailServer) -> None:
    mailserver.refuses = {"bob@example.org": "550 5.1.1 no such user"}
    with pytest.raises(PartlySentError, match=r"^bob@example\.org: 550 5\.1\.1 no such user$"):
        channel("ada@example.org", "bob@example.org", "eve@example.org").send(message())
    assert mailserver.recipients == ["ada@example.org", "eve@example.org"]


@pytest.mark.parametrize(("answer", "permanent"), [("550 no such user", True), ("451 greylisted", False)])
def test_it_is_useless_to_try_again_what_all_have_refused_for_good(
    answer: str, permanent: bool, mailserver: MailServer
) -> None:
    mailserver.refuses = {"ada@example.org": answer}
    with pytest.raises(ChannelError, match=answer) as caught:
        channel().send(message())
    assert caught.value.permanent is permanent
    assert not isinstance(caught.value, PartlySentError)


@pytest.mark.parametrize(("answer", "permanent"), [("554 spam", True), ("452 disk full", False)])
def test_a_server_that_does_not_take_the_message(
    answer: str, permanent: bool, mailserver: MailServer
) -> None:
    mailserver.answers = answer
    with pytest.raises(ChannelError, match=answer) as caught:
        channel().send(message())
    assert caught.value.permanent is permanent


def test_an_address_that_is_none_is_said(mailserver: MailServer) -> None:
    with pytest.raises(PartlySentError, match="@@"):
        channel("a@@b", "ada@example.org").send(message())


def test_a_dead_server_may_come_back(settings: Any) -> None:
    use(settings, free_port())
    with pytest.raises(ChannelError, match="ConnectionRefusedError") as caught:
        channel().send(message())
    assert not caught.value.permanent
    assert caught.value.unsent


def test_a_server_that_hangs_is_given_up_although_no_timeout_is_set(settings: Any) -> None:
    with socket.socket() as hanging:
        hanging.bind(("127.0.0.1", 0))
        hanging.listen()
        use(settings, hanging.getsockname()[1], timeout=None)
        with pytest.raises(ChannelError, match=r"(?i)timed? ?out"):
            channel(timeout=0.05).send(message())


def test_the_host_s_own_timeout_is_kept(mailserver: MailServer, settings: Any) -> None:
    mailserver.use(settings, timeout=7)
    assert channel(timeout=3)._backend().timeout == 7  # type: ignore[attr-defined]
    mailserver.use(settings, timeout=None)
    assert channel(timeout=3)._backend().timeout == 3  # type: ignore[attr-defined]


def test_a_server_that_drops_the_line_in_the_middle(settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"220 hello\r\n")
                connection.recv(1000)

        thread = threading.Thread(target=serve)
        thread.start()
        use(settings, server.getsockname()[1])
        with pytest.raises(ChannelError, match="SMTPServerDisconnected") as caught:
            channel("ada@example.org", "bob@example.org").send(message())
        thread.join()
    assert not caught.value.permanent
    assert not caught.value.unsent, "it may have taken it"


def test_a_backend_that_fails_silently_has_not_sent(settings: Any) -> None:
    use(settings, free_port())
    sending = channel()
    backend = sending._backend()
    backend.fail_silently = True
    sending._backend = lambda: backend  # type: ignore[method-assign]
    with pytest.raises(ChannelError, match="sent nothing"):
        sending.send(message())


def test_the_test_environment_s_outbox_is_used_as_any_backend() -> None:
    channel().send(message())
    assert [sent.subject for sent in mail.outbox] == ["Applications fail"]


@pytest.mark.skipif(django.VERSION < (6, 1), reason="MAILERS came with Django 6.1")
def test_an_alias_of_mailers_is_used(mailserver: MailServer, settings: Any) -> None:
    channel(mailer="alerts").send(message())
    assert len(mailserver.messages) == 1
    with pytest.raises(mail.MailerDoesNotExist, match="missing"):
        channel(mailer="missing").send(message())


# That they are set warns, in Django 6.1; that is the host's to hear.
@pytest.mark.filterwarnings("ignore:The EMAIL_")
def test_the_older_settings_are_used_without_a_warning_of_ours(mailserver: MailServer, settings: Any) -> None:
    del settings.MAILERS
    use(settings, mailserver.port, mailers=False)
    channel().send(message())
    assert len(mailserver.messages) == 1
