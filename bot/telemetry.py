"""Logs; they never contain a payload, a header or a secret."""

import logging
import sys
from collections.abc import Iterable, MutableMapping
from typing import Any, Literal, TextIO

import structlog

from bot.redact import HIDDEN, redact

_SHORTEST_SECRET = 6
"""Characters: a shorter text is a word like any other."""

_LONGEST = 20_000
"""Characters of a value in the log: a traceback may hold what a stranger has sent."""


class _WithoutSecrets:
    """Takes secrets out of an event, however deeply its values are nested.

    Args:
        secrets: Those that this process has; others are known by their names and forms.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = tuple(one for one in secrets if len(one) >= _SHORTEST_SECRET)

    def __call__(
        self, _logger: Any, _name: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        for key, value in event.items():
            # What belongs to the renderer begins with an underscore.
            if not key.startswith("_"):
                event[key] = self._clean(value)
        return event

    def _clean(self, value: Any) -> Any:
        match value:
            case None | bool() | int() | float():
                return value
            case list() | tuple() | set() | frozenset():
                return [self._clean(one) for one in value]
            case dict():
                # As text, a key that names a secret hides its value.
                return self._clean(str(value))
            case _:
                text = str(value)
                for secret in self._secrets:
                    text = text.replace(secret, HIDDEN)
                return redact(text, _LONGEST)


def _printable(
    _logger: Any, _name: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Write what a terminal would obey, or not show, as an escape; JSON does so by itself."""
    for key, value in event.items():
        if isinstance(value, str) and not key.startswith("_"):
            # Only a traceback has lines.
            lines = value.split("\n") if key == "exception" else [value]
            event[key] = "\n".join(map(_visible, lines))
    return event


def _visible(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )


def configure(
    form: Literal["json", "console"] | None,
    stream: TextIO = sys.stderr,
    level: str = "INFO",
    secrets: Iterable[str] = (),
) -> None:
    """Send all logs, the libraries' included, to one stream in one form.

    Args:
        form: None takes `console` on a terminal and `json` elsewhere.
        level: The lowest that is logged, by its name in `logging`; of libraries, WARNING at least.
        secrets: Texts that no line may hold.
    """
    lowest = getattr(logging, level)
    console = form == "console" or (form is None and stream.isatty())
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _WithoutSecrets(secrets),
    ]
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=stream.isatty())
        if console
        else structlog.processors.JSONRenderer()
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *([_printable] if console else []),
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Below that, libraries log requests, statements with their parameters, and payloads.
    root.setLevel(max(lowest, logging.WARNING))
    logging.getLogger("stopstream").setLevel(lowest)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(lowest),
        cache_logger_on_first_use=True,
    )
