"""What type checkers make of ``gauge``; read by mypy, run by nobody."""

from __future__ import annotations

from decimal import Decimal
from typing import assert_type

from django_qaprod import gauge


@gauge("a", every=30, unit="By", timeout=2.5, description="x", limit=3)
def whole() -> int:
    return 1


@gauge("b")
def maybe() -> float | None:
    return None


@gauge("c")
def labelled() -> dict[str, int]:
    return {"high": 1}


@gauge("d")
async def awaited() -> Decimal:
    return Decimal(1)


@gauge("e")
def defaulted(queue: str = "default") -> int:
    return len(queue)


async def use() -> None:
    assert_type(whole(), int)
    assert_type(maybe(), float | None)
    assert_type(labelled(), dict[str, int])
    assert_type(await awaited(), Decimal)
    assert_type(defaulted("x"), int)


@gauge("f")  # type: ignore[type-var]
def text() -> str:
    return ""


@gauge("g")  # type: ignore[type-var]
def argument(queue: str) -> int:
    return 1


gauge("h", evry=60)  # type: ignore[call-arg]
gauge(whole)  # type: ignore[arg-type]
