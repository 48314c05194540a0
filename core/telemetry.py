"""Structured logs. Secrets never reach one: the HTTP client's own lines hold whole addresses, and are off."""

import logging
import sys

import structlog

from core.settings import Settings


def set_up_logging(settings: Settings) -> None:
    """One line an event on standard error: for people, or as JSON."""
    json_lines = settings.waypost_log_format == "json"
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if json_lines
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    for noisy in ("httpx", "httpcore", "apscheduler", "huey"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
