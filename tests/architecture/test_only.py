"""What only one place may import, what nobody may keep, and that every module has a test file."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.architecture.source import PACKAGE, ROOT, Module, modules, report

# Imported module -> (the only places that may, why).
ONLY = {
    "stem": (
        ("transports/tor/",),
        "it is threads and unmaintained: one place wraps it, so one place can replace it",
    ),
    "aiohttp_socks": (("transports/tor/",), "nothing else opens a connection through Tor (invariant 4)"),
    "cbor2": (("wire/cbor.py",), "its strict form is decided once"),
    "rfc8785": (("wire/canonicaljson.py",), "canonical bytes are made in one place"),
    "base58": (("base/ids.py",), "a DID is parsed in one place (invariant 4)"),
    "blake3": (("wire/blake3hash.py",), "where there is no wheel of it, one place says so"),
    "filelock": (("storage/",), "locks have one form, and never SoftFileLock"),
    "sqlite3": (("storage/",), "one place decides what an acknowledgement and a damaged file mean"),
    "psutil": (
        ("state/sampler.py", "daemon/", "demo/"),
        "reading the machine may block; the sampler keeps it off the loop",
    ),
    "prometheus_client": (
        ("daemon/metricstext.py",),
        "metrics become text in one place; it is loaded at the first scrape",
    ),
    "tomlkit": (("registry/configedit.py",), "a file is edited in one place; it is read without it"),
    "click": (("cli/",), "nothing below knows that there is a terminal"),
    "rich": (("cli/",), "nothing below knows that there is a terminal"),
    "segno": (("cli/",), "codes become pictures for a person only"),
    "importlib.import_module": (("cli/",), "the layer test cannot see such an import"),
    "pickle": ((), "it runs code that is in the data"),
}

_CONTAINERS = {
    "list", "dict", "set", "bytearray", "deque", "defaultdict", "Counter", "OrderedDict", "ChainMap",
    "WeakKeyDictionary", "WeakValueDictionary", "WeakSet", "Lock", "RLock", "Semaphore", "Event", "Queue",
    "Condition", "local", "count", "cycle", "iter",
}  # fmt: skip
_CHANGING_METHODS = {
    "append", "extend", "insert", "add", "update", "setdefault", "pop", "popitem", "remove", "discard",
    "clear",
}  # fmt: skip


def test_only_its_own_place_imports_it() -> None:
    report(
        [
            f"{PACKAGE}/{module.place}:{imported.line} imports {imported.name}: {reason}"
            for module in modules()
            for imported in module.imports
            for name, (places, reason) in ONLY.items()
            if imported.is_of(name) and not module.place.startswith(places)
        ]
    )


def _assignments(body: list[ast.stmt]) -> Iterator[tuple[str, ast.expr, str]]:
    """(name, value, annotation) of each plain assignment."""
    for node in body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield ast.unparse(target), node.value, ""
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            yield ast.unparse(node.target), node.value, ast.unparse(node.annotation)


def _is_mutable(value: ast.expr) -> bool:
    if isinstance(value, (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)):
        return True
    return isinstance(value, ast.Call) and ast.unparse(value.func).split(".")[-1] in _CONTAINERS


def _is_empty(value: ast.expr) -> bool:
    return (
        (isinstance(value, ast.List) and not value.elts)
        or (isinstance(value, ast.Dict) and not value.keys)
        or (isinstance(value, ast.Call) and not value.args)
    )


def _changed_names(tree: ast.Module) -> set[str]:
    """Names that something in the module changes in place."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, (ast.Store, ast.Del)):
            names.add(ast.unparse(node.value))
        elif isinstance(node, ast.AugAssign):
            names.add(ast.unparse(node.target))
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in _CHANGING_METHODS
        ):
            names.add(ast.unparse(node.func.value))
    return names


def _kept_state(module: Module) -> Iterator[str]:
    """What a module keeps: a constant table is `Final`, holds something and is never changed."""
    changed = _changed_names(module.tree)
    classes = [node.body for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef)]
    for body in [module.tree.body, *classes]:
        for name, value, annotation in _assignments(body):
            if name.startswith("__") or not _is_mutable(value):
                continue
            if body in classes and annotation and "ClassVar" not in annotation and _is_empty(value):
                continue  # a field with an empty default: msgspec makes a new one each time
            if name in changed:
                yield f"{PACKAGE}/{module.place}:{value.lineno} {name} is changed at run time"
            elif "Final" not in annotation or _is_empty(value):
                yield f"{PACKAGE}/{module.place}:{value.lineno} {name} is mutable: a constant table is Final"


def test_no_module_and_no_class_keeps_mutable_state() -> None:
    """Three nodes in one process is the main test: what they shared would hide what they forgot to send."""
    report([finding for module in modules() for finding in _kept_state(module)])


def test_nothing_rebinds_a_module_level_name() -> None:
    report(
        [
            f"{PACKAGE}/{module.place}:{node.lineno} global {', '.join(node.names)}"
            for module in modules()
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Global)
        ]
    )


# The floors that carry the others: each module alone is tested. Further up, tests follow what a user or a
# peer does, through several modules; decisions (rules and their like) are tested alone there too.
FLOORS = {"base", "wire", "storage", "identity", "transports", "rpc", "state", "config"}
DECISIONS = {"rules.py", "liveness.py", "schedule.py"}
# Modules of these floors without a test file of their own name, and what covers them instead.
TESTED_ELSEWHERE = {
    "base/limits.py": "numbers; each is tested where it protects something",
    "base/registry_limits.py": "numbers; each is tested where it protects something",
    "config/options.py": "tests/config/test_loading.py",
    "config/sections.py": "tests/config/test_loading.py",
    "base/rpc_errors.py": "tests/base/test_errors.py walks the whole tree of errors",
    "wire/base64url.py": "tests/wire/test_plain_formats.py",
    "wire/canonicaljson.py": "tests/wire/test_plain_formats.py",
    "wire/hexadecimal.py": "tests/wire/test_plain_formats.py",
    "wire/strictjson.py": "tests/wire/test_plain_formats.py",
    "wire/timestamps.py": "tests/wire/test_plain_formats.py",
    "wire/nodesfile.py": "tests/wire/test_files.py",
    "wire/invitesfile.py": "tests/wire/test_files.py",
    "wire/observationsfile.py": "tests/wire/test_files.py",
    "base/registry_client_errors.py": "sentences; the tests of the registry's client meet each",
    "wire/historyview.py": "values without behaviour; tests/state/test_history.py makes them",
    "wire/views.py": "values without behaviour; tests/wire/test_viewbuild.py makes them",
}


def _own_test(module: Module) -> str:
    """Where its test file belongs: below the room's folder, or beside it for a room that is one file."""
    folder = "tests" if module.room.endswith(".py") else f"tests/{module.room}"
    return f"{folder}/**/test_{module.path.stem}*.py"


def _has_own_test(module: Module) -> bool:
    return any(ROOT.glob(_own_test(module)))


def test_every_module_that_carries_others_has_a_test_file() -> None:
    ours = [m for m in modules() if m.room in FLOORS or m.path.name in DECISIONS]
    report(
        [
            f"{PACKAGE}/{module.place} has no {_own_test(module)}"
            for module in ours
            if module.path.name != "__init__.py"
            and not _has_own_test(module)
            and module.place not in TESTED_ELSEWHERE
        ]
    )


def test_the_exceptions_are_still_needed() -> None:
    places = {module.place: module for module in modules()}
    stale = [p for p in TESTED_ELSEWHERE if p not in places or _has_own_test(places[p])]
    assert not stale
