"""Secrets that are recognised wherever they show, and everything that a program may show."""

from __future__ import annotations

import gc
import logging
import traceback
import warnings
from base64 import urlsafe_b64encode
from collections.abc import Generator, Iterator
from contextlib import contextmanager

CANARY = "c4n4ry"  # short, so that a shortened secret is recognised as well


def _part(text: str) -> str:
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


TOKEN = ".".join([_part("{}"), _part('{"sub":"ada","iat":1,"exp":99999}'), CANARY * 8])
ADMIN_KEY = f"prod:happy-animal-123|{CANARY * 8}"


class Shown:
    """Collects the text of whatever is shown; `leaks` are the texts with a canary in them."""

    def __init__(self) -> None:
        self.texts: list[tuple[str, str]] = []

    def add(self, *shown: object) -> None:
        for one in shown:
            if isinstance(one, BaseException):
                self._add_error(one)
            else:
                self.texts += [("repr", repr(one)), ("str", str(one))]
                if hasattr(one, "__dict__"):
                    self.texts.append(("attributes", repr(vars(one))))

    def _add_error(self, error: BaseException) -> None:
        self.texts.append(("traceback", "".join(traceback.format_exception(error))))
        for link in _chain(error):
            name = type(link).__name__
            attributes = [*map(repr, link.args), repr(vars(link)), *getattr(link, "__notes__", [])]
            self.texts += [(name, text) for text in (repr(link), str(link), *attributes)]

    def add_record(self, record: logging.LogRecord) -> None:
        self.texts.append((f"log of {record.name}", record.getMessage()))
        self.texts.append((f"log record of {record.name}", repr(vars(record))))
        if record.exc_info is not None and record.exc_info[1] is not None:
            self._add_error(record.exc_info[1])

    @property
    def leaks(self) -> list[tuple[str, str]]:
        return [(where, text) for where, text in self.texts if CANARY in text]


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and all that is shown as what it came from: `from None` hides the rest."""
    seen, rest = set[int](), [error]
    while rest:
        link = rest.pop()
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        if isinstance(link, BaseExceptionGroup):
            rest += link.exceptions
        more = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
        rest += [] if more is None else [more]


class _Handler(logging.Handler):
    def __init__(self, shown: Shown) -> None:
        super().__init__(logging.DEBUG)
        self.emit = shown.add_record  # type: ignore[method-assign]


@contextmanager
def everything_shown() -> Generator[Shown, None, None]:
    """What all loggers say at DEBUG and all warnings, and what is added in the block."""
    shown = Shown()
    handler = _Handler(shown)
    loggers = [logging.getLogger()]
    loggers += [
        log for log in logging.Logger.manager.loggerDict.values() if isinstance(log, logging.Logger)
    ]
    before = [(log, log.level, log.disabled) for log in loggers]
    for log in loggers:
        log.setLevel(logging.DEBUG)
        log.disabled = False
    loggers[0].addHandler(handler)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            yield shown
            gc.collect()  # what is dropped may warn, or log
        for warning in caught:
            shown.add(warning.message, str(warning))
    finally:
        loggers[0].removeHandler(handler)
        for log, level, disabled in before:
            log.setLevel(level)
            log.disabled = disabled
