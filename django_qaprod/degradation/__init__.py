"""Serve the visitor although something failed: ``degrade``, its circuit breaker, and what is critical."""

from __future__ import annotations

# Not named after ``degrade``: the package's attribute would hide the decorator in ``django_qaprod``.
from .breaker import CircuitBreaker, CircuitOpenError
from .criticality import critical
from .degrading import Section, degrade

__all__ = ["CircuitBreaker", "CircuitOpenError", "Section", "critical", "degrade"]
