"""Changes the key of everything that is kept of visitors: of the rows, and of what waits in the spool."""

from __future__ import annotations

from ..pipeline import spool
from ..store import submissions
from ..store.submissions import Rotation
from . import waiting

#: Who has decrypted it, in the audit.
WHO = "qaprod_rotate_keys"


def rotate(*, most: int) -> Rotation:
    """Encrypt everything anew that has not the first key, ``most`` rows at a time; return what was found.

    What the collector brings in meanwhile is not overlooked: the spool comes first. Raises ``NoKeyError``.
    """
    path = spool.directory()
    found = [waiting.rotate(path, who=WHO)] if path is not None else []
    after: int | None = 0
    while after is not None:
        found.append(submissions.rotate(after=after, most=most, who=WHO))
        after = found[-1].last
    return Rotation(
        rotated=sum(one.rotated for one in found),
        current=sum(one.current for one in found),
        unreadable=tuple(name for one in found for name in one.unreadable),
        last=None,
    )
