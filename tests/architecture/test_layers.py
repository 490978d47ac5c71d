"""A room imports only rooms below it. The order, and why nothing further up may be known."""

from __future__ import annotations

from tests.architecture.source import PACKAGE, Module, modules, project_targets, report

# From the ground floor up, each with the reason why it knows nothing above itself.
ROOMS = {
    "base": "everything stands on it, so whatever it imported would be everywhere",
    "wire": "a format is the same whoever stores, sends or decides about it",
    "storage": "it keeps what it is given a codec for, and has no opinion on it",
    "identity": "keys sign bytes; what the bytes mean is decided above",
    "transports": "a transport carries bytes and can be exchanged for another",
    "rpc": "it serves any feature: features come in through its method table, never by import",
    "state": "the state of this home does not depend on who asks for it",
    "federation": "feature rooms are tied together in daemon/ and nowhere else",
    "registry": "feature rooms are tied together in daemon/ and nowhere else",
    "config": "settings are read before anything is put together",
    "daemon": "the composition root runs without a terminal and without the demo",
    "demo": "tests start it without the command line",
    "cli": "nothing imports the command line",
}
# Rooms that offer something to users side by side; one must be removable without the others noticing.
FEATURE_ROOMS = {"federation", "registry"}
# The package itself (version only) and `python -m enigma_fed`.
EXEMPT = {"__init__.py", "__main__.py"}


def _breach(importer: Module, target: Module) -> str | None:
    order = list(ROOMS)
    here, there = importer.room, target.room
    if there in EXEMPT or here == there:
        return None
    if order.index(there) > order.index(here):
        return ROOMS[here]
    if {here, there} <= FEATURE_ROOMS:
        return "feature rooms never import each other: tie them in daemon/"
    return None


def test_every_room_has_its_place() -> None:
    unknown = {module.room for module in modules()} - ROOMS.keys() - EXEMPT
    assert not unknown, f"new rooms need a place and a reason in {__file__}: {sorted(unknown)}"


def test_rooms_import_only_downwards() -> None:
    known = {module.name: module for module in modules()}
    report(
        [
            f"{PACKAGE}/{module.place}:{imported.line} imports {imported.name}: {reason}"
            for module in known.values()
            if module.room not in EXEMPT
            for target, imported in project_targets(module, known)
            if (reason := _breach(module, target)) is not None
        ]
    )


def test_every_import_of_the_project_is_resolved() -> None:
    known = {module.name: module for module in modules()}
    report(
        [
            f"{PACKAGE}/{module.place}:{imported.line} imports {imported.name}, which is not there"
            for module in known.values()
            for imported in module.imports
            if imported.is_of(PACKAGE)
            and imported.name not in known
            and imported.name.rpartition(".")[0] not in known
        ]
    )
