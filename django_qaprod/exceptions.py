"""The errors that django-qaprod raises to its callers."""

from __future__ import annotations


class QAProdError(Exception):
    """Base of every error raised by django-qaprod. The message says what to change."""


class DeclarationError(QAProdError, TypeError):
    """A journey, step, degradation, gauge, sink or log is declared in a way that cannot work."""


class GaugeValueError(QAProdError, ValueError):
    """A gauge's function returned what is no number."""


class GaugeTimeoutError(QAProdError, TimeoutError):
    """A gauge's function did not answer within its ``timeout``."""


class UnknownStepError(QAProdError, LookupError, AttributeError):
    """A journey or step was named that nobody declared.

    An ``AttributeError``, too: ``JobApplication.submited`` is one. ``known`` holds the names that exist.
    """

    def __init__(self, message: str, *, known: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.known = known


class SubjectKeyError(QAProdError, ValueError):
    """A subject has no key by which it could be found again (an unsaved instance, an empty string)."""


class PropertyError(QAProdError, ValueError):
    """A property of an event, or a field of ``log_usage``, is not allow-listed, or is not JSON.

    ``name`` is the property's or field's name.
    """

    def __init__(self, message: str, *, name: str) -> None:
        super().__init__(message)
        self.name = name


class SinkUnavailableError(QAProdError):
    """A sink cannot be reached now; the drainer keeps the records and tries again later.

    ``expected`` says that nobody needs to be told.
    """

    def __init__(self, message: str, *, expected: bool = False) -> None:
        super().__init__(message)
        self.expected = expected


class SpoolUnavailableError(QAProdError):
    """The spool cannot take a record: no writable directory, a full disk, or its cap is reached."""


class RecordFormatError(QAProdError, ValueError):
    """A line of a segment is not a record that this version can read."""


class NoKeyError(QAProdError):
    """There is no key to encrypt what visitors sent: ``QAPROD["RESCUE_KEYS"]`` is empty."""


class UnreadableError(QAProdError, ValueError):
    """What a visitor sent cannot be decrypted: its key is gone, or somebody has changed it."""


class CannotKeepError(QAProdError):
    """A submission cannot be kept whole, so the visitor is not told that it was. The message is for staff."""


class ChannelError(QAProdError):
    """A message could not be sent. ``permanent`` says that to try again is useless.

    ``unsent`` says that surely nothing of it was handed over, so that nobody has seen its id, and that it is
    not what is wrong: it waits without being given up. The error may be shown: it holds no secret of the
    channel's.
    """

    def __init__(self, message: str, *, permanent: bool = False, unsent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.unsent = unsent


class OverrideError(QAProdError, ValueError):
    """What a person says of a rule in place of the code cannot be: no such rule, key or value."""
