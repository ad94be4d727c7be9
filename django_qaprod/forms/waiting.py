"""Submissions that wait in the spool for the database: one file each, encrypted, and who brings them in.

A file has three lines: the head, encrypted, with the row's columns and the digest of what follows; what was
sent, encrypted; and nothing, so that a torn file is known by that. It is named after the idempotency key: a
second click finds the first one's file.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

from django.db import InterfaceError, OperationalError, ProgrammingError

from .. import vault
from ..conf import events_alias, settings
from ..exceptions import NoKeyError, SpoolUnavailableError, UnreadableError
from ..models import SubmissionAct
from ..pipeline import guard, spool
from ..store import connections, retention, submissions
from ..store.submissions import NewSubmission

FOLDER: Final = "submissions"
#: Where files lie that could not be read or stored.
UNREADABLE: Final = "unreadable"
SUFFIX: Final = ".submission"
_NEW: Final = ".new"

#: How often a file is tried before it is set aside.
TRIES: Final = 5
#: Seconds before the database is tried again: the first wait and the longest.
RETRY_FIRST, RETRY_MOST = 1.0, 30.0
#: Seconds before a session store that failed is asked again, for one submission first.
ASK_EVERY = 10.0
#: Seconds after which what was begun will not be ended any more.
LEFT_AFTER: Final = 60.0
#: Seconds between two looks at a folder in which nothing has changed.
LOOK_EVERY: Final = 600.0
#: A folder may change twice within one tick of the file system's clock; so much later its time is final.
_SETTLED_AFTER: Final = 2.0


#: Seconds for which the size of a folder is believed: there may be many files.
MEASURE_EVERY: Final = 1.0

_measured: dict[Path, tuple[float, int]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingStatus:
    """What lies in the spool of this machine. ``oldest`` in seconds since the epoch."""

    waiting: int
    unreadable: int
    bytes: int
    oldest: float | None


def write(path: Path, new: NewSubmission) -> str:
    """Write a submission into the spool's directory; return the id under which it is kept.

    When this returns, file and name are on the disk. Raises ``SpoolUnavailableError``, ``OSError`` and
    ``NoKeyError``.
    """
    folder = _folder(path)
    final, data = folder / f"{new.key}{SUFFIX}", encode(new)
    first = _kept_in(final)
    if first is None:
        _refuse_when_full(folder, len(data))
        _write(final, data)
    else:
        # Between the two the visitor may have been taken at their word; and this click may have taken effect.
        more = new.may_have_happened and not first.may_have_happened
        doubt = new.in_doubt if more else first.in_doubt
        _write(final, encode(replace(first, in_doubt=doubt, again=new.at)))
    # The file's own name, too; and of the first click's file that of who is still at it.
    _sync(folder)
    return new.id if first is None else first.id


def encode(new: NewSubmission) -> bytes:
    """Return a submission as the content of its file."""
    head = {name: value for name, value in asdict(new).items() if name != "content"}
    head["digest"] = hashlib.sha256(new.content).hexdigest()
    return b"\n".join((vault.encrypt(json.dumps(head).encode()), new.content, b""))


def decode(data: bytes) -> NewSubmission:
    """Return the submission of a file. Raises ``UnreadableError`` and ``NoKeyError``."""
    try:
        head, content, rest = data.split(b"\n")
        columns = json.loads(vault.decrypt(head))
        digest, acts = columns.pop("digest"), tuple(map(tuple, columns.pop("acts")))
        new = NewSubmission(**columns, acts=acts, content=content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnreadableError("This file is not a submission that this version can read.") from error
    if rest or digest != hashlib.sha256(content).hexdigest():
        raise UnreadableError("This file is torn or was changed.")
    return new


def rotate(path: Path, *, who: str) -> submissions.Rotation:
    """Encrypt the files anew that lie in the spool's directory; those under the first key stay as they are.

    Who did it is written into the file, to be stored with the row.

    Raises ``NoKeyError``.
    """
    rotated, current, unreadable = 0, 0, []
    for file in _files(path / FOLDER, path / FOLDER / UNREADABLE):
        try:
            again = _rotated(file.read_bytes(), who)
        except FileNotFoundError:
            continue
        except UnreadableError:
            unreadable.append(file.name)
            continue
        if again is None:
            current += 1
        else:
            # Should it be brought in just now, it comes back, and is known by its key.
            _write(file, again)
            _sync(file.parent)
            rotated += 1
    return submissions.Rotation(rotated=rotated, current=current, unreadable=tuple(unreadable), last=None)


def status(path: Path) -> WaitingStatus:
    """Return what lies in the spool's directory."""
    waiting = [_stat(file) for file in _files(path / FOLDER)]
    unreadable = [_stat(file) for file in _files(path / FOLDER / UNREADABLE)]
    return WaitingStatus(
        waiting=len(waiting),
        unreadable=len(unreadable),
        bytes=sum(size for size, _ in (*waiting, *unreadable)),
        oldest=min((at for _, at in waiting), default=None),
    )


class Collector:
    """Brings the files of a directory into the database. One process of a machine does: who drains."""

    def __init__(self, path: Path) -> None:
        self._folder = path / FOLDER
        self._tries: Counter[str] = Counter()
        self._seen: int | None = None
        self._look_at = self._retry_at = self._delay = 0.0
        # When sessions are asked for again, after their store has failed.
        self._ask_at = 0.0
        self._fresh = True

    def collect(self) -> int:
        """Bring in what is there; return how many. Where nothing has changed this costs one ``stat``."""
        changed = self._changed()
        if changed is None or time.monotonic() < self._retry_at:
            return 0
        connections.close_old()
        if self._fresh:
            self._give_another_chance()
        stored, finished = 0, True
        for file in sorted(_files(self._folder), key=lambda file: _stat(file)[1]):
            try:
                stored += self._bring_in(file)
            except (OperationalError, InterfaceError, ProgrammingError, NoKeyError) as error:
                # No database, no tables yet, no keys: it is the same for those behind it.
                guard.caught("rescue.collector", error)
                self._delay = min(max(self._delay * 2, RETRY_FIRST), RETRY_MOST)
                self._retry_at = time.monotonic() + self._delay
                return stored
            except Exception as error:  # noqa: BLE001 - the guard's other half: one file that cannot be
                # brought in must not stop those behind it.
                guard.caught("rescue.collector", error)
                finished = self._failed(file) and finished
        self._delay = 0.0
        self._tidy_up()
        # It will not be needed for long.
        connections.close([events_alias()])
        self._look_at = time.monotonic() + LOOK_EVERY
        finished = finished and self._ask_at < time.monotonic()
        self._seen = changed if finished and time.time_ns() - changed > _SETTLED_AFTER * 1e9 else None
        return stored

    def _changed(self) -> int | None:
        """Return when the folder changed, if it has since it was seen, or it is time to look anyway."""
        try:
            changed = self._folder.stat().st_mtime_ns
        except FileNotFoundError:
            return None
        return None if changed == self._seen and time.monotonic() < self._look_at else changed

    def _bring_in(self, file: Path) -> bool:
        try:
            new = decode(file.read_bytes())
        except FileNotFoundError:
            return False
        with guard.ours():
            known = _recognised(new, ask=time.monotonic() >= self._ask_at)
            if known is None:
                self._ask_at = max(self._ask_at, time.monotonic() + ASK_EVERY)
                return False
            kept = submissions.save(known)
        file.unlink(missing_ok=True)
        self._tries.pop(file.name, None)
        if kept != new.id:
            # The same click was kept in the database, too: the visitor has the reference of that row.
            guard.dropped("rescue.duplicate")
        return kept == new.id

    def _failed(self, file: Path) -> bool:
        """Count a failed try; return whether it was the last, so that the file was set aside."""
        self._tries[file.name] += 1
        if self._tries[file.name] < TRIES:
            return False
        aside = self._folder / UNREADABLE
        aside.mkdir(mode=0o700, exist_ok=True)
        file.rename(aside / file.name)
        del self._tries[file.name]
        guard.dropped("rescue.unreadable")
        return True

    def _give_another_chance(self) -> None:
        """Take back what another process has set aside: it may have lacked a key that we have."""
        self._fresh = False
        for file in _files(self._folder / UNREADABLE):
            file.rename(self._folder / file.name)

    def _tidy_up(self) -> None:
        """Delete what a crash has left half written, and what was unreadable for as long as rows are kept."""
        now = time.time()
        for left in self._folder.glob(f"*{_NEW}"):
            if now - _stat(left)[1] > LEFT_AFTER:
                left.unlink(missing_ok=True)
        for file in _files(self._folder / UNREADABLE):
            if now - _stat(file)[1] > retention.days("submissions") * 86400:
                file.unlink(missing_ok=True)


def collect(path: Path) -> int:
    """Bring the submissions that wait in a spool's directory into the database; return how many."""
    return _collector(path).collect()


@cache
def _collector(path: Path) -> Collector:
    return Collector(path)


def _folder(path: Path) -> Path:
    folder = path / FOLDER
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sync(path)
    if problem := spool.unusable(folder):
        raise SpoolUnavailableError(problem)
    return folder


def _write(final: Path, data: bytes) -> None:
    """Write a file under another name first, so that it is whole under its own; it is on the disk then."""
    new = final.with_name(f"{final.stem}.{os.urandom(6).hex()}{_NEW}")
    try:
        with open(new, "xb", opener=_private) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(final)
    finally:
        new.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _refuse_when_full(folder: Path, length: int) -> None:
    now = time.monotonic()
    at, used = _measured.get(folder, (now - MEASURE_EVERY, 0))
    if now - at >= MEASURE_EVERY:
        at, used = now, sum(_stat(file)[0] for file in _files(folder, folder / UNREADABLE))
    if used + length > settings().rescue_spool_max_bytes:
        raise SpoolUnavailableError("The spool has reached QAPROD['RESCUE_SPOOL_MAX_BYTES'].")
    _measured[folder] = at, used + length


def _files(*folders: Path) -> Iterator[Path]:
    for folder in folders:
        try:
            with os.scandir(folder) as found:
                names = [entry.name for entry in found if entry.name.endswith(SUFFIX)]
        except FileNotFoundError:
            continue
        yield from (folder / name for name in names)


def _stat(file: Path) -> tuple[int, float]:
    try:
        found = file.lstat()
    except FileNotFoundError:
        return 0, time.time()
    # Nobody else can have put anything else there; but what is no file takes no room.
    return (found.st_size if stat.S_ISREG(found.st_mode) else 0), found.st_mtime


def _recognised(new: NewSubmission, *, ask: bool) -> NewSubmission | None:
    """Return it with what its visitor's session says, ``None`` while the session store fails."""
    # Not at every start of the host: it brings what knows sessions and users.
    from .recognising import SessionUnavailableError, recognised

    try:
        return recognised(new, ask=ask)
    except SessionUnavailableError:
        return None


def _kept_in(file: Path) -> NewSubmission | None:
    try:
        return decode(file.read_bytes())
    except (OSError, UnreadableError, NoKeyError):
        return None


def _rotated(data: bytes, who: str) -> bytes | None:
    new, head = decode(data), data.partition(b"\n")[0]
    if vault.is_current(head) and vault.is_current(new.content):
        return None
    rotated = (SubmissionAct.Act.ROTATED, who, time.time())
    return encode(replace(new, content=vault.rotate(new.content), acts=(*new.acts, rotated)))
