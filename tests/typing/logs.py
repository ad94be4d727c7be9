"""What type checkers make of logs; read by mypy, run by nobody."""

from __future__ import annotations

import logging
from typing import Any, assert_type

from django_qaprod import log_usage
from django_qaprod.logs import (
    ConsoleFormatter,
    ContextFilter,
    JSONFormatter,
    KeyValueFormatter,
    logging_config,
    structlog_processor,
)


def use(handler: logging.Handler, record: logging.LogRecord) -> None:
    assert_type(
        logging_config(format="ecs", level="WARNING", resource={"service.name": "jobs"}), dict[str, Any]
    )
    handler.setFormatter(JSONFormatter(fields="ecs"))
    handler.setFormatter(KeyValueFormatter(resource={"service.name": "jobs"}))
    handler.setFormatter(ConsoleFormatter(colours=False))
    handler.addFilter(ContextFilter())
    assert_type(JSONFormatter().format(record), str)
    structlog_processor(None, "info", {"event": "applied"})
    log_usage("payment_limit_changed", amount=500)

    logging_config(format="xml")  # type: ignore[arg-type]
    JSONFormatter(fields="gelf")  # type: ignore[arg-type]
    JSONFormatter("ecs")  # type: ignore[call-arg]
    log_usage(event="payment_limit_changed")  # type: ignore[call-arg]
