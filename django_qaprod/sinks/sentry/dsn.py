"""What a DSN looks like, for those who must not import the package to find out."""

from __future__ import annotations

from urllib.parse import urlsplit


def is_dsn(text: str) -> bool:
    """Whether a text names a project: ``https://<key>@<host>/<number>``."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    project = parts.path.rpartition("/")[2]
    return (
        parts.scheme in {"http", "https"}
        and bool(parts.username and parts.hostname)
        and port != 0
        and project.isascii()
        and project.isdigit()
    )
