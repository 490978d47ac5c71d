"""What a failed command says, and its exit code (docs/CLI.md "Exit codes")."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import click
import msgspec
from click.exceptions import NoArgsIsHelpError

from enigma_fed.base.errors import EnigmaError, OperationFailed
from enigma_fed.cli.humane import printable, printable_json, printable_lines

INTERRUPTED: Final = 130
_DEBUG_VARIABLE: Final = "ENIGMA_FED_DEBUG"


class Declined(OperationFailed):
    """Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure in words."""

    code: str
    what: str
    why: str
    hint: str
    exit_code: int

    @property
    def message(self) -> str:
        """What happened and why, without a full stop."""
        return f"{self.what}: {self.why}" if self.why else self.what

    @property
    def sentence(self) -> str:
        """The line on standard error."""
        hint = f" {self.hint.rstrip('.')}." if self.hint else ""
        stop = "" if self.message.endswith("?") else "."
        return f"enigma-fed: {self.message}{stop}{hint}"


class _ErrorBody(msgspec.Struct, frozen=True):
    code: str
    message: str
    hint: str


class _ErrorLine(msgspec.Struct, frozen=True):
    error: _ErrorBody


def report(error: BaseException, words: Sequence[str]) -> int:
    """Say what failed on standard error, as JSON when `words` hold `--json`; returns the exit code."""
    if isinstance(error, NoArgsIsHelpError) and error.ctx is not None:
        click.echo(error.ctx.get_help(), err=True)
        return 2
    if isinstance(error, BrokenPipeError):
        _forget_output()
        return 1
    failure = _here(explain(error), words)
    if failure.exit_code == INTERRUPTED and sys.stderr.isatty():
        click.echo(err=True)  # ends the line in which the terminal shows ^C
    if wants_json(words):
        body = _ErrorBody(failure.code, failure.message, failure.hint)
        click.echo(printable_json(msgspec.json.encode(_ErrorLine(body)).decode("utf-8")), err=True)
    else:
        click.echo(printable(failure.sentence), err=True)
    if failure.code == "internal" and os.environ.get(_DEBUG_VARIABLE) == "1":
        click.echo(_traceback(error), err=True, nl=False)
    return failure.exit_code


def _traceback(error: BaseException) -> str:
    """Where it happened, without the secrets that an exception's text may hold (invariant 8)."""
    from enigma_fed.base.log import redact

    return printable_lines(redact("".join(traceback.format_exception(error))))


def _here(failure: Failure, words: Sequence[str]) -> Failure:
    """The failure with a hint that speaks to the node that the line named."""
    from enigma_fed.cli.hints import given, with_flags

    flags = {"config": given(words, "--config"), "data_dir": given(words, "--data-dir")}
    return replace(failure, hint=with_flags(failure.hint, **flags))


def wants_json(words: Sequence[str]) -> bool:
    """Whether `--json` was given, also on a line that could not be parsed."""
    options = words[: words.index("--")] if "--" in words else words
    return "--json" in options


def explain(error: BaseException) -> Failure:
    """Any exception as a failure in words; an unexpected one without its text, which may hold a secret."""
    if isinstance(error, EnigmaError):
        return Failure(error.code, error.what, error.detail.rstrip("."), error.hint, error.exit_code)
    if isinstance(error, click.UsageError):
        return _usage(error)
    if isinstance(error, click.ClickException):
        return Failure("failed", "The operation failed", error.format_message(), "", error.exit_code)
    if isinstance(error, (click.Abort, KeyboardInterrupt)):
        return Failure("interrupted", "Interrupted", "", "", INTERRUPTED)
    if isinstance(error, OSError) and error.strerror:
        place = f" ({error.filename})" if error.filename else ""
        return Failure("failed", "The operation failed", f"{error.strerror}{place}", "", 1)
    hint = f"`enigma-fed logs` may say more; {_DEBUG_VARIABLE}=1 shows where it happened"
    return Failure("internal", "A fault inside enigma-fed", type(error).__name__, hint, 1)


def _usage(error: click.UsageError) -> Failure:
    why = " ".join(error.format_message().split()).rstrip(".")
    path = error.ctx.command_path if error.ctx is not None else "enigma-fed"
    return Failure("usage", "The command was not understood", why, f"See `{path} --help`", 2)


def _forget_output() -> None:
    """The reader has gone: keep the interpreter from complaining at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
