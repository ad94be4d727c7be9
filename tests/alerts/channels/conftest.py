from __future__ import annotations

from collections.abc import Iterator

import pytest

from .mailserver import MailServer
from .receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Somebody who takes webhooks."""
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def mailserver(settings: object) -> Iterator[MailServer]:
    """An SMTP server, to which Django's mail goes."""
    with MailServer() as server:
        server.use(settings)
        yield server
