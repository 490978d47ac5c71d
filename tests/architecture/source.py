"""The project's own source as the architecture tests see it: parsed, never imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = "enigma_fed"


@dataclass(frozen=True)
class Import:
    """One imported name: `from a.b import c` is `a.b.c`, `import a.b` is `a.b`."""

    name: str
    line: int
    for_types_only: bool

    def is_of(self, module: str) -> bool:
        """Whether this imports `module` or something in it."""
        return self.name == module or self.name.startswith(module + ".")


@dataclass(frozen=True)
class Module:
    """One Python file of the package."""

    path: Path

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text(encoding="utf-8"), str(self.path))

    @property
    def place(self) -> str:
        """Path inside the package, `wire/invite.py`."""
        return self.path.relative_to(ROOT / PACKAGE).as_posix()

    @property
    def room(self) -> str:
        """First part of the place: `wire`, or `config.py`."""
        return self.place.split("/")[0]

    @property
    def name(self) -> str:
        """Dotted name, `enigma_fed.wire.invite`."""
        parts = self.path.relative_to(ROOT).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @cached_property
    def imports(self) -> list[Import]:
        """Every import, wherever it stands: inside functions and under TYPE_CHECKING too."""
        typed = {id(node) for block in _type_checking_blocks(self.tree) for node in ast.walk(block)}
        return [
            Import(name, node.lineno, id(node) in typed)
            for node in ast.walk(self.tree)
            for name in _imported_names(node)
        ]


def _imported_names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module or ''}.{alias.name}" for alias in node.names]
    return []


def _type_checking_blocks(tree: ast.AST) -> Iterator[ast.stmt]:
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            yield from node.body


def modules() -> list[Module]:
    """Every module of the package, by path."""
    return [Module(path) for path in sorted((ROOT / PACKAGE).rglob("*.py"))]


def project_targets(module: Module, known: dict[str, Module]) -> Iterator[tuple[Module, Import]]:
    """The project's modules that `module` imports, each with the import that does it."""
    for imported in module.imports:
        if not imported.is_of(PACKAGE):
            continue
        target = known.get(imported.name) or known.get(imported.name.rpartition(".")[0])
        if target is not None:
            yield target, imported


def report(findings: list[str]) -> None:
    """Fail with one line a finding."""
    assert not findings, "\n" + "\n".join(findings)
