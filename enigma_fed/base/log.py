"""Logging: one line per event, text or JSON, secrets blotted out (invariant 8), never blocking the loop."""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import os
import queue
import re
import sys
import threading
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TextIO

import msgspec

from enigma_fed.base import limits

_LOGGER: Final = "enigma_fed"
_PATIENCE: Final = 2.0

_CODE: Final = re.compile(r"fed1:[A-Za-z0-9_=+/-]*")
_ONION: Final = re.compile(r"(?<![A-Za-z0-9])([a-z2-7]{6})[a-z2-7]{50}(\.onion)?(?![A-Za-z0-9])", re.I)
_HEX: Final = re.compile(r"(?<![A-Za-z0-9])[0-9A-Fa-f]{32,}(?![A-Za-z0-9])")
# Keys and tokens in base64: with padding, or 43 and more characters of base64url that are no DID and no word.
_PADDED: Final = re.compile(r"(?<![A-Za-z0-9+/_=-])[A-Za-z0-9+/_-]{22,}={1,2}(?![A-Za-z0-9=])")
_UNPADDED: Final = re.compile(
    r"(?<![A-Za-z0-9:+/_-])(?!z6Mk)(?=[^ ]{0,42}[A-Z])(?=[^ ]{0,42}[a-z])(?=[^ ]{0,42}[0-9])"
    r"[A-Za-z0-9+_-]{43,}(?![A-Za-z0-9+_/-])"
)
_PEM: Final = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*-----|$)", re.DOTALL)
_PLAIN: Final = {"\n": " | ", "\t": " "}


def redact(text: str) -> str:
    """`text` without invite codes, keys and tokens, its onion names shortened."""
    text = _PEM.sub("[key]", text)
    text = _CODE.sub("fed1:[code]", text)
    text = _ONION.sub(lambda found: f"{found[1]}…{found[2] or ''}", text)
    text = _HEX.sub("[hex]", text)
    return _UNPADDED.sub("[base64]", _PADDED.sub("[base64]", text))


def on_one_line(text: str) -> str:
    """`text` as one line that cannot steer a terminal: control and invisible characters are spelt out."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _PLAIN.get(c) or _spelt(c) for c in text)


def _spelt(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class LineFormatter(logging.Formatter):
    """One line of text; a traceback is folded into it."""

    def format(self, record: logging.LogRecord) -> str:
        """`2026-11-20T08:49:00Z info    enigma_fed.rpc: text`."""
        level = record.levelname.lower()
        return f"{_time(record)} {level:<7} {record.name}: {_message(self, record)}"


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time, level, logger, message."""

    def format(self, record: logging.LogRecord) -> str:
        """The object's text."""
        line = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(self, record),
        }
        return msgspec.json.encode(line).decode("utf-8")


class PrivateRotatingFile(logging.handlers.RotatingFileHandler):
    """A rotating log file that only its owner can read."""

    _ended = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line; none after `close`, where the library's class would open the file again."""
        if not self._ended:
            super().emit(record)

    def close(self) -> None:
        """Close the file for good."""
        with self.lock or contextlib.nullcontext():
            self._ended = True
            super().close()

    def _open(self) -> TextIO:  # type: ignore[override]  # narrower than the library's
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.fchmod(descriptor, 0o600)
        return os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace")


class LogOutput:
    """Running log output of this process; a thread of its own writes the lines."""

    def __init__(self, level: str, handlers: Sequence[logging.Handler]) -> None:
        self._lines: queue.Queue[logging.LogRecord | None] = queue.Queue(limits.LOG_QUEUE_LINES)
        self._handlers = tuple(handlers)
        self._entry = _Entry(self._lines)
        logging.getLogger(_LOGGER).setLevel(level.upper())
        # At the root, so that what libraries warn of is redacted too.
        self._entry.addFilter(_is_wanted)
        logging.getLogger().addHandler(self._entry)
        self._writer = threading.Thread(target=self._write, name="log", daemon=True)
        self._writer.start()

    def change(self, level: str, form: str) -> None:
        """Another least level, and another form (text or json) of the lines from here on."""
        logging.getLogger(_LOGGER).setLevel(level.upper())
        for handler in self._handlers:
            handler.setFormatter(_formatter(form))

    def close(self) -> None:
        """Write what is queued, for a moment at most, and stop; later lines go nowhere."""
        logging.getLogger().removeHandler(self._entry)
        with contextlib.suppress(queue.Full):
            self._lines.put(None, timeout=_PATIENCE)
        self._writer.join(_PATIENCE)
        for handler in self._handlers:
            handler.close()

    def _write(self) -> None:
        while (record := self._lines.get()) is not None:
            for handler in self._handlers:
                handler.handle(record)


def start(level: str, form: str, file: Path | None, stream: TextIO | None = None) -> LogOutput:
    """Log to `stream` (standard error when None) and to `file`, from a thread of its own.

    `level` is debug, info, warning or error; `form` is text or json. When the queue is full
    lines are dropped: a stuck terminal or disk must not stop the agent.
    """
    handlers = tuple(_handlers(file, stream or sys.stderr))
    for handler in handlers:
        handler.setFormatter(_formatter(form))
    return LogOutput(level, handlers)


def _formatter(form: str) -> logging.Formatter:
    return JsonFormatter() if form == "json" else LineFormatter()


class _Entry(logging.handlers.QueueHandler):
    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Bind the arguments now: they may change before the thread writes the line."""
        record.message = _bounded(record.getMessage())
        record.msg, record.args = record.message, None
        return record

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the library's name
        """A full queue drops the line."""


def _bounded(text: str) -> str:
    """What of a text may wait: whole words, since half a secret would not be known as one any more."""
    most = 2 * limits.LOG_LINE_CHARACTERS
    return text if len(text) <= most else text[:most].rpartition(" ")[0]


def _is_wanted(record: logging.LogRecord) -> bool:
    """Our own lines, and only warnings of libraries: some set levels of their own and say a great deal."""
    own = record.name == _LOGGER or record.name.startswith(f"{_LOGGER}.")
    return own or record.levelno >= logging.WARNING


def _handlers(file: Path | None, stream: TextIO) -> Iterable[logging.Handler]:
    yield logging.StreamHandler(stream)
    if file is not None:
        yield PrivateRotatingFile(
            file, maxBytes=limits.LOG_FILE_BYTES, backupCount=limits.LOG_FILES_KEPT, encoding="utf-8"
        )


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _message(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    text = record.getMessage()
    if record.exc_info:
        text = f"{text}\n{formatter.formatException(record.exc_info)}"
    return on_one_line(redact(text))[: limits.LOG_LINE_CHARACTERS]
