"""A catalogue of translations, made in a test: the package itself has none."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

#: What comes first in any catalogue: how it is encoded, and which form goes with which number.
_HEADER = "Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=2; plural=(n != 1);\n"


def write(folder: Path, language: str, words: Mapping[str | tuple[str, str], str | tuple[str, str]]) -> None:
    """Write a catalogue for ``LOCALE_PATHS``: a pair is one and many, and ``a|b`` is b in the context a.

    The format is that of GNU gettext's ``.mo`` files, of which ``gettext.GNUTranslations`` is the reader:
    https://www.gnu.org/software/gettext/manual/html_node/MO-Files.html
    """
    said = {"": _HEADER} | {_joined(one).replace("|", "\x04"): _joined(two) for one, two in words.items()}
    pairs = sorted((one.encode(), two.encode()) for one, two in said.items())
    start = 28 + 16 * len(pairs)
    table, texts = [], b""
    for place in (0, 1):
        for pair in pairs:
            table += [len(pair[place]), start + len(texts)]
            texts += pair[place] + b"\0"
    header = struct.pack("<7I", 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, start)
    path = folder / language / "LC_MESSAGES" / "django.mo"
    path.parent.mkdir(parents=True)
    path.write_bytes(header + struct.pack(f"<{len(table)}I", *table) + texts)


def _joined(forms: str | tuple[str, str]) -> str:
    return forms if isinstance(forms, str) else "\0".join(forms)
