"""Lines for the log store: formatters, what is known of each record, and a configuration to begin with.

May be imported by the settings. Nothing here reads them before the first line is written, and a line that is
written while Django reads them is scrubbed by the defaults.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import lazily

if TYPE_CHECKING:
    from .configuration import logging_config as logging_config
    from .console import ConsoleFormatter as ConsoleFormatter
    from .jsonlines import JSONFormatter as JSONFormatter
    from .keyvalue import KeyValueFormatter as KeyValueFormatter
    from .structlog import structlog_processor as structlog_processor
    from .surroundings import ContextFilter as ContextFilter

# Lazily (PEP 562): a formatter needs the scrubber, whose patterns take 5 ms to make.
_EXPORTS = {
    "ConsoleFormatter": "console",
    "ContextFilter": "surroundings",
    "JSONFormatter": "jsonlines",
    "KeyValueFormatter": "keyvalue",
    "logging_config": "configuration",
    "structlog_processor": "structlog",
}

__all__ = [
    "ConsoleFormatter",
    "ContextFilter",
    "JSONFormatter",
    "KeyValueFormatter",
    "logging_config",
    "structlog_processor",
]

__getattr__, __dir__ = lazily(__name__, _EXPORTS)
