"""Take secrets and people out of text and data, before anything is spooled.

Keys are matched by substring, values by pattern. Ordinary text is recognised by one look for anything that
could be the beginning of a secret, and passes unchanged. What is scrubbed is irreversible; when in doubt a
word too many goes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from string import ascii_letters, ascii_uppercase, digits
from typing import Final

from ..conf import known
from ..text import JSONValue, clean, clean_json

SCRUBBED: Final = "[scrubbed]"
EMAIL: Final = "[email]"
CARD: Final = "[card]"
IBAN: Final = "[iban]"

#: Longer text is cut before it is looked at.
MAX_TEXT: Final = 8_000
_MAX_KEY: Final = 100
# Of twelve digits.
_LEAST_CARD: Final = 10**11

Rule = Callable[[str], str]

# Looked for in keys, in lower case. Short ones stand alone or behind a separator: "shipping" is not a PIN.
_KEYS: Final = (
    r"passw|passphrase|passcode|passwd|pwd|(?<![a-z])pass(?![a-z])|secret|token|credential|"
    r"(?:api|access|private|secret|signing|encryption|account|auth|client|license)[_\-. ]?key|"
    r"authoriz|authoris|(?<![a-z])auth(?![a-z])|bearer|jwt|cookie|session|csrf|xsrf|"
    r"credit|(?<!dis)(?<!wild)(?<!post)(?<!score)(?<!dash)card(?!inal)|cvv|cvc|iban|"
    r"(?<![a-z])(?:pin|otp|ssn|bsn|sid|pan)(?![a-z])|social_?security|signature"
)

# From far away: what makes a text worth the rules, and what does so only if there is a secret key indeed.
_HINTS: Final = (
    "@", "://", "?", "-----begin", "bearer ", "basic ", "digest ", "negotiate ", "eyj", "$", "=(",
    "row contains", "duplicate entry", "\nline ", r"\nline ", "syntax for", "value for",
)  # fmt: skip
_KEY_HINTS: Final = (
    "pass", "pwd", "secret", "token", "credential", "key", "auth", "bearer", "jwt", "cookie", "session",
    "csrf", "xsrf", "credit", "card", "cvv", "cvc", "iban", "pin", "otp", "ssn", "bsn", "sid", "pan",
    "security", "signature",
)  # fmt: skip
# To find out whether a letter is one in either case takes three times as long as to find it.
_LOWER_KEYS: Final = re.compile(_KEYS)
_LOOKS_SECRET: Final = re.compile(r"[A-Za-z0-9_+=-]{20,}|\d(?:[ -]?\d){11}|[A-Z]{2}\d{2}[ A-Z0-9]{10}")

# The same from further away: a table of what kind each byte is tells in a fraction of the time that most
# texts have no such thing.
_WORDS: Final = bytes.maketrans(f"{ascii_letters}{digits}_+=-".encode(), b"w" * 66)
_KINDS: Final = bytes.maketrans(f"{digits}{ascii_uppercase}".encode(), b"9" * 10 + b"A" * 26)
_LONG_WORD: Final = b"w" * 20
_LONG_NUMBER: Final = b"9" * 12
_ACCOUNT: Final = b"AA99"

_PRIVATE_KEY: Final = re.compile(
    r"-----BEGIN [A-Z ]*KEY(?: BLOCK)?-----.*?(?:-----END [A-Z ]*-----|\Z)", re.DOTALL
)
_URL: Final = re.compile(
    r"(?P<scheme>://)(?P<user>[^\s/?#'\"<>]*@)?(?P<rest>[^\s?#'\"<>]*)"
    r"(?P<query>\?[^\s'\"<>]*)?(?P<fragment>\#[^\s'\"<>]*)?"
)
_QUERY: Final = re.compile(r"\?[^\s'\"<>=&?]+=[^\s'\"<>]*")
_SCHEME: Final = re.compile(
    r"(?P<scheme>\b(?i:bearer|negotiate)\s+)[\w.~+/=-]{6,}"
    r"|(?P<basic>\b(?i:basic|digest)\s+)(?=[\w.~+/-]*[A-Z0-9=])[\w.~+/-]{6,}=*"
)
_JWT: Final = re.compile(r"\beyJ[\w-]{4,}\.[\w-]+(?:\.[\w-]*)*")
_KNOWN_TOKEN: Final = re.compile(
    r"\b(?:[spr]k_(?:live|test)_\w{6,}|gh[pousr]_\w{10,}|github_pat_\w{10,}|xox[abeprs]-[\w-]{8,}|AKIA[0-9A-Z]{12,}"
    r"|AIza[\w-]{20,}|glpat-[\w-]{10,}|SG\.[\w-]{10,}\.[\w-]{10,}|pypi-[\w-]{20,}|npm_\w{20,}|sk-[\w-]{20,})"
    r"|\b(?:pbkdf2|argon2|scrypt|bcrypt)\w*\$\S+|\$2[abxy]\$\S+|\$argon2\S+"
)
_EMAIL: Final = re.compile(r"(?<![\w.!#$%&*+/?^`{|}~-])[\w.!#$%&*+/?^`{|}~-]+@[\w-]+(?:\.[\w-]+)+")
_CARD: Final = re.compile(r"(?<![\w.])[2-6]\d{3}(?:[ -]?\d){8,15}(?![\w])")
_IBAN: Final = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b")
_LONG: Final = re.compile(r"(?<![\w+-])[A-Za-z0-9_+-]{20,}={0,2}")
_LONG_RUN: Final = re.compile(r"[A-Za-z0-9]{24,}")
_PLAIN_ID: Final = re.compile(r"[0-9a-f]{32}|[0-9A-F]{32}|\d+")

# What databases say about the values they were given.
_KEY_DETAIL: Final = re.compile(
    r"(Key \([^\n]*?\)=)\((?:[^\n]*\)(?= (?:already|is not|is still|conflicts))|[^\n]*)"
)
_ROW_DETAIL: Final = re.compile(r"(Failing row contains )\(.*", re.DOTALL)
_DUPLICATE: Final = re.compile(r"(Duplicate entry )\\*'.*'(?= for key)|(Duplicate entry )\\*'.*", re.DOTALL)
_BAD_SYNTAX: Final = re.compile(
    r"(invalid input (?:syntax|value) for [^\n:]*: )\\*\".*?(?:\"(?=\s*(?:\n|$))|\Z)", re.DOTALL
)
# What has newlines in it may have passed ``repr``.
_STATEMENT: Final = re.compile(r"(?:^|(?<=\\n))(LINE \d+: ).*$", re.MULTILINE)
_SQL_LITERAL: Final = re.compile(r"'(?:[^'\n]|'')*(?:'|$)")


def text(value: str, limit: int = 1000) -> str:
    """Return the text without secrets, sanitised, at most ``limit`` characters long."""
    if len(value) > MAX_TEXT:
        value = value[:MAX_TEXT]
    own = known()
    for pattern in _own_patterns(own.scrub_patterns):
        value = pattern.sub(SCRUBBED, value)
    if _may_hold_secret(value, own.scrub_keys):
        for rule in _rules(own.scrub_keys):
            value = rule(value)
    return clean(value, limit)


def texts(values: Sequence[str], limit: int = 1000) -> list[str]:
    """Return each text as ``text`` does; faster, as long as none of them holds anything."""
    own = known()
    if own.scrub_patterns or _may_hold_secret("\n".join(values), own.scrub_keys):
        return [text(value, limit) for value in values]
    return [clean(value, limit) for value in values]


def json(value: object, *, limit: int = 1000) -> JSONValue:
    """Return the value as plain JSON data, bounded and without secrets, by key and by value."""
    return _data(clean_json(value, limit=max(limit, MAX_TEXT)), _key_pattern(known().scrub_keys), limit)


def source(line: str) -> str:
    """Return a line of source code without secrets written into it; names and calls stay readable."""
    keys = known().scrub_keys
    if not _may_hold_secret(line, keys):
        return line
    line = _assignments(keys).sub(rf"\1\2\3{SCRUBBED}\3", line)
    line = _LITERAL.sub(lambda literal: _without_pairs(keys)(literal[0]), line)
    for rule in _VALUE_RULES:
        line = rule(line)
    return line


def under(key: str, value: object, *, limit: int = 1000) -> JSONValue:
    """Return what may be kept of a value under that key, as plain JSON data, bounded and without secrets."""
    if is_secret_key(key):
        return _under_key(clean_json(value, limit=limit, depth=0))
    if type(value) is str:
        return text(value, limit)
    return value if type(value) is int and abs(value) < _LEAST_CARD else json(value, limit=limit)


def is_secret_key(key: str) -> bool:
    """Whether what is kept under that key must not be."""
    keys = known().scrub_keys
    return (_is_secret_key if len(key) <= _MAX_KEY else _is_secret_key.__wrapped__)(key, keys)


def cards(value: str) -> Iterator[tuple[int, int]]:
    """Yield where card numbers stand in the text, from the left: where each begins, and where it ended."""
    for found in _CARD.finditer(value):
        if _card_digits(found[0]):
            yield found.span()


def bad_patterns() -> list[str]:
    """Return those of ``QAPROD["SCRUB_PATTERNS"]`` that are no regular expressions, for the system checks."""
    return [pattern for pattern in known().scrub_patterns if _compiled(pattern) is None]


# The keys of data are few, however much data there is; a long one may be a visitor's.
@lru_cache(maxsize=1024)
def _is_secret_key(key: str, keys: tuple[str, ...]) -> bool:
    return _key_pattern(keys).search(_snake(key)) is not None


def _may_hold_secret(value: str, keys: tuple[str, ...]) -> bool:
    if _looks_secret(value):
        return True
    lower = value.lower()
    # A pattern takes "ſ" for an "s"; only in ASCII does a key look like its own lower case.
    if keys and (not value.isascii() or any(key in lower for key in _lowered(keys))):
        return True
    for hint in _HINTS:
        if hint in lower:
            return True
    for hint in _KEY_HINTS:
        if hint in lower:
            pattern = _LOWER_KEYS if lower.isascii() else _key_pattern(())
            return pattern.search(lower) is not None
    return False


def _looks_secret(value: str) -> bool:
    if value.isascii():
        raw = value.encode("ascii")
        if (
            _LONG_WORD not in raw.translate(_WORDS)
            and _LONG_NUMBER not in raw.translate(_KINDS, b" -")
            and _ACCOUNT not in raw.translate(_KINDS)
        ):
            return False
    return _LOOKS_SECRET.search(value) is not None


def _data(value: JSONValue, keys: re.Pattern[str], limit: int) -> JSONValue:
    if isinstance(value, str):
        return text(value, limit)
    if isinstance(value, dict):
        return {
            text(key, 100): _under_key(item) if keys.search(_snake(key)) else _data(item, keys, limit)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_data(item, keys, limit) for item in value]
    if isinstance(value, int) and value >= _LEAST_CARD and _card_digits(str(value)):
        return CARD
    return value


def _under_key(value: JSONValue) -> JSONValue:
    return value if value is None or isinstance(value, bool) or value == "" else SCRUBBED


@cache
def _rules(keys: tuple[str, ...]) -> tuple[Rule, ...]:
    return (_without_private_keys, *_DATABASE_RULES, _without_pairs(keys), *_VALUE_RULES)


@cache
def _own_patterns(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    """Return the host's patterns that are valid.

    One after the other and never as alternatives of one pattern: of two that overlap, the one that begins
    first would take the other's beginning away and leave the rest of a secret.
    """
    return tuple(found for found in map(_compiled, patterns) if found is not None)


@cache
def _key_pattern(keys: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join((_KEYS, *map(re.escape, _lowered(keys)))), re.IGNORECASE)


@cache
def _lowered(keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(key.lower() for key in keys if key)


@cache
def _assignments(keys: tuple[str, ...]) -> re.Pattern[str]:
    """Return the pattern of a literal that stands in source code behind a secret name."""
    name = rf"(?:{_key_pattern(keys).pattern})"
    return re.compile(
        rf"((?<![\w.])[\w.]*{name}[\w.]*+[\"']?\]?)(\s*[:=]\s*[bruf]{{0,2}})([\"'])(?:[^\"'\\\n]|\\.)+(?:\3|$)",
        re.IGNORECASE,
    )


@cache
def _without_pairs(keys: tuple[str, ...]) -> Rule:
    """Return the rule for ``key=value``, ``"key": "value"``, ``('key', 'value')`` and ``Header: value``."""
    # Atomic, from where a name begins and over few brackets: a text full of names is gone through in a time
    # that grows with its length alone.
    name = (
        rf"(?<![\w.\-\[])(?>[\w.\-\[]*(?:{_key_pattern(keys).pattern})(?:[\w.\-\[]*\]){{0,8}}[\w.\-\[]*)"
        r"\\*+"
    )
    told = (
        r"[bruf]{0,2}(?:(?P<slashes>\\*)(?P<quote>[\"']).*?(?:(?<!\\)(?P=slashes)(?P=quote)|\Z)"
        r"|[\[({][^\])}]*[\])}]*|[^\s,;&)\]}'\"]+)"
    )
    header = re.compile(
        r"((?<![\w-])[\w-]*(?:authorization|cookie)\b\\*+[\"']?\s*:\s*)(?![\"'\\\[{(])[^\n]+",
        re.IGNORECASE,
    )
    assignment = re.compile(
        rf"(?P<key>{name}[\"']?\s*(?:=>|:=|[:=])\s*){told}",
        re.IGNORECASE | re.DOTALL,
    )
    # Not two names in a list.
    pair = re.compile(
        rf"(?P<key>\([br]*\\*[\"']?{name}[\"']\s*,\s*){told}",
        re.IGNORECASE | re.DOTALL,
    )

    def replace(match: re.Match[str]) -> str:
        slashes, quote = match["slashes"] or "", match["quote"] or ""
        return f"{match['key']}{slashes}{quote}{SCRUBBED}{slashes}{quote}"

    def rule(value: str) -> str:
        value = header.sub(rf"\1{SCRUBBED}", value)
        return pair.sub(replace, assignment.sub(replace, value))

    return rule


def _without_private_keys(value: str) -> str:
    return _PRIVATE_KEY.sub(SCRUBBED, value) if "-----BEGIN" in value else value


def _without_details(value: str) -> str:
    value = _KEY_DETAIL.sub(rf"\1({SCRUBBED})", value)
    return _ROW_DETAIL.sub(rf"\1({SCRUBBED})", value)


def _without_duplicates(value: str) -> str:
    return _DUPLICATE.sub(lambda match: f"{match[1] or match[2]}'{SCRUBBED}'", value)


def _without_statements(value: str) -> str:
    value = _BAD_SYNTAX.sub(rf'\1"{SCRUBBED}"', value)
    return _STATEMENT.sub(lambda match: _SQL_LITERAL.sub(f"'{SCRUBBED}'", match[0]), value)


def _without_url_secrets(value: str) -> str:
    if "://" in value:
        value = _URL.sub(_bare_url, value)
    return _QUERY.sub(f"?{SCRUBBED}", value) if "?" in value else value


def _bare_url(match: re.Match[str]) -> str:
    return "".join(
        (
            match["scheme"],
            f"{SCRUBBED}@" if match["user"] else "",
            match["rest"],
            f"?{SCRUBBED}" if match["query"] else "",
            f"#{SCRUBBED}" if match["fragment"] else "",
        )
    )


def _without_schemes(value: str) -> str:
    return _SCHEME.sub(lambda match: f"{match['scheme'] or match['basic']}{SCRUBBED}", value)


def _without_tokens(value: str) -> str:
    value = _KNOWN_TOKEN.sub(SCRUBBED, _JWT.sub(SCRUBBED, value))
    return _LONG.sub(lambda match: SCRUBBED if _is_random(match[0]) else match[0], value)


def _is_random(word: str) -> bool:
    """Whether a long word looks drawn by lot: a run of letters and digits, no UUID, digest or number."""
    if len(word) < 32 and not (_mixed(word) and len(word) >= 24):
        return False
    if _PLAIN_ID.fullmatch(word):
        return False
    if len(word) >= 32 and _mixed(word):
        return True
    return any(_has_digits(run) and any(map(str.isalpha, run)) for run in _LONG_RUN.findall(word))


def _mixed(word: str) -> bool:
    return _has_digits(word) and any(map(str.islower, word)) and any(map(str.isupper, word))


def _has_digits(word: str) -> bool:
    return sum(map(str.isdigit, word)) >= 3


def _without_addresses(value: str) -> str:
    return _EMAIL.sub(EMAIL, value) if "@" in value else value


def _without_accounts(value: str) -> str:
    value = _CARD.sub(lambda match: CARD if _card_digits(match[0]) else match[0], value)
    return _IBAN.sub(lambda match: IBAN if _iban(match[0]) else match[0], value)


def _card_digits(number: str) -> bool:
    """Whether the digits are a card number's: ISO/IEC 7812, Luhn's check."""
    digits = [int(char) for char in number if char.isdigit()]
    if not 12 <= len(digits) <= 19:
        return False
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _iban(word: str) -> bool:
    """Whether the word is an IBAN: ISO 13616, remainder 1 by 97."""
    compact = word.replace(" ", "")
    return int("".join(str(int(char, 36)) for char in compact[4:] + compact[:4])) % 97 == 1


def _snake(key: str) -> str:
    return _HUMP.sub("_", key).lower()


@cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern)
    except re.error:
        return None


# What stands between the quotes of source code.
_LITERAL: Final = re.compile(r"(?<=\")[^\"\n]+(?=\")|(?<=')[^'\n]+(?=')")
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

_DATABASE_RULES: Final[tuple[Rule, ...]] = (_without_details, _without_duplicates, _without_statements)
_VALUE_RULES: Final[tuple[Rule, ...]] = (
    _without_url_secrets,
    _without_schemes,
    _without_tokens,
    _without_addresses,
    _without_accounts,
)
