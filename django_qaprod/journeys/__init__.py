"""Journeys: the business processes that the host declares, and the events it records about them."""

from .journey import Journey
from .step import Step

__all__ = ["Journey", "Step"]
