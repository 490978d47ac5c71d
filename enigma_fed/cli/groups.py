"""The click classes of every command: global flags anywhere, examples in the help, late imports.

Imports click only, so that `enigma-fed --help` costs little more than `import click`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final

import click

_META: Final = "enigma_fed.cli."
_EXIT: Final = f"{_META}exit_code"


class GlobalOption(click.Option):
    """A flag that every command takes; the last one given wins. Read it with `global_value`."""

    def __init__(self, *names: str, **attributes: Any) -> None:
        super().__init__(list(names), expose_value=False, callback=_remember, **attributes)


def _remember(ctx: click.Context, param: click.Parameter, value: object) -> None:
    if value is not None and value is not False:
        ctx.meta[f"{_META}{param.name}"] = value


def global_value(ctx: click.Context, name: str) -> object | None:
    """What the user gave for a global flag, wherever on the line; None when not given."""
    return ctx.meta.get(f"{_META}{name}")


def end_with(ctx: click.Context, exit_code: int) -> None:
    """Let the command end with this exit code although it did what it was asked."""
    ctx.meta[_EXIT] = exit_code


def global_options() -> list[click.Parameter]:
    """Fresh `--config`, `--data-dir` and `--json`."""
    return [
        GlobalOption("--config", metavar="FILE", help="Configuration file (TOML)."),
        GlobalOption("--data-dir", metavar="DIR", help="Data folder of the node."),
        GlobalOption("--json", is_flag=True, help="Print JSON on standard output, errors as JSON too."),
    ]


def _option_records(command: click.Command, ctx: click.Context, *, common: bool) -> Iterator[tuple[str, str]]:
    for param in command.get_params(ctx):
        if isinstance(param, click.Option) and isinstance(param, GlobalOption) is common:
            record = param.get_help_record(ctx)
            if record is not None:
                yield record


def _write_options(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    for title, common in (("Options", False), ("Everywhere", True)):
        records = list(_option_records(command, ctx, common=common))
        if records:
            with formatter.section(title):
                formatter.write_dl(records)


def _write_examples(examples: tuple[str, ...], formatter: click.HelpFormatter) -> None:
    if examples:
        with formatter.section("Example" if len(examples) == 1 else "Examples"):
            for line in examples:
                formatter.write(f"{' ' * formatter.current_indent}{line}\n")


class Command(click.Command):
    """A command with the global flags and with examples (whole command lines) in its help."""

    def __init__(self, *args: Any, examples: tuple[str, ...] = (), **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.examples = examples
        self.params.extend(global_options())

    def invoke(self, ctx: click.Context) -> object:
        """Run it; its exit code, or the one of `end_with` when it has none of its own."""
        return super().invoke(ctx) or ctx.meta.get(_EXIT, 0)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the own options, then those of every command."""
        _write_options(self, ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        _write_examples(self.examples, formatter)


class Group(click.Group):
    """A noun with verbs: a group with the global flags and with examples.

    `instead` maps a verb that one may look for to the line that does it, with {} for its argument.
    """

    command_class = Command

    def __init__(
        self,
        *args: Any,
        examples: tuple[str, ...] = (),
        instead: Mapping[str, str] = MappingProxyType({}),
        **attributes: Any,
    ) -> None:
        super().__init__(*args, **attributes)
        self.examples = examples
        self.instead = instead
        self.params.extend(global_options())

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the own options, then those of every command."""
        _write_options(self, ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        _write_examples(self.examples, formatter)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command of a line; an unknown name gets a suggestion."""
        known = self.list_commands(ctx)
        if args[0] in self.instead:
            raise _other_way(args[0], self.instead[args[0]], args[1:])
        if args[0] not in known and not args[0].startswith("-"):
            raise click.UsageError(f"there is no command {args[0]!r}{_suggestion(args[0], known)}", ctx)
        return super().resolve_command(ctx, args)


def _other_way(name: str, line: str, rest: list[str]) -> Exception:
    import shlex

    from enigma_fed.base.errors import UsageError

    argument = next((shlex.quote(word) for word in rest if not word.startswith("-")), "PEER")
    return UsageError(f"there is no command {name!r}", hint=f"Like: {line.format(argument)}")


def _suggestion(name: str, known: list[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, known)
    return f"; did you mean {close[0]!r}?" if close else ""


class LazyGroup(Group):
    """A group whose commands are imported when they are used.

    `table` maps a command's name to ("module:attribute", its one-line help).
    """

    def __init__(self, *args: Any, table: Mapping[str, tuple[str, str]], **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command of this name; None when there is none."""
        if cmd_name not in self.table:
            return None
        module, _, attribute = self.table[cmd_name][0].partition(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table, without importing a command."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.table.items()])
