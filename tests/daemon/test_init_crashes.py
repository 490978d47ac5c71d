"""The power fails at every step of `init`: a node or room for one is left, never half a key."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from enigma_fed.base.errors import EnigmaError
from enigma_fed.config import Settings
from enigma_fed.daemon import init, keys
from enigma_fed.daemon.paths import Paths
from enigma_fed.federation.store import FederationStore
from enigma_fed.storage.disk import Disk
from enigma_fed.wire.records import Membership
from tests.support.crashes import PowerCuts
from tests.support.memorydisk import Image, MemoryDisk, Step

_STEPS = ("mkdir", "open_new", "open_folder", "close", "write", "sync", "rename", "link", "unlink")


def _mirror(patch: pytest.MonkeyPatch, memory: MemoryDisk) -> None:
    """Everything done to the real disk is done to the one in memory, too, which notes it."""
    descriptors: dict[int, int] = {}

    def wrapper(name: str) -> Any:
        real = getattr(Disk, name)

        def both(disk: Disk, *arguments: Any) -> Any:
            outcome = real(disk, *arguments)
            if name in {"close", "write", "sync"}:
                arguments = (descriptors[arguments[0]], *arguments[1:])
            noted = getattr(memory, name)(*arguments)
            if name.startswith("open"):
                descriptors[outcome] = noted
            return outcome

        return both

    for name in _STEPS:
        patch.setattr(Disk, name, wrapper(name))


class Recorded:
    """An `init` in a folder, and every step of it."""

    def __init__(self, folder: Path, runtime_dir: Path, settings: Settings) -> None:
        self.folder = folder
        self.runtime_dir = runtime_dir
        self.settings = settings
        self.start = Image(folders=frozenset(map(str, (folder, *folder.parents))))
        memory = MemoryDisk(self.start)
        with pytest.MonkeyPatch.context() as patch:
            _mirror(patch, memory)
            self.node = init.make_node(self.paths(folder), settings, name="attic")
        self.steps: list[Step] = memory.steps

    def paths(self, folder: Path) -> Paths:
        """The node's paths when this is its machine's disk."""
        return Paths(folder / "share" / "home", None, self.runtime_dir)

    def states(self, without: Collection[int] = ()) -> Iterator[tuple[Image, bool]]:
        """What a power cut leaves, and whether `init` had ended; each once."""
        seen: set[int] = set()
        cuts = PowerCuts(self.start, {}, random.Random(5), every_cut=False)
        for number in range(len(self.steps) + 1):
            ended = number == len(self.steps)
            for image in cuts.states() if number > min(without, default=-1) else ():
                key = hash((image.folders, tuple(sorted(image.files.items())), ended))
                if key not in seen:
                    seen.add(key)
                    yield image, ended
            if number < len(self.steps) and number not in without:
                cuts.follow(self.steps[number])

    def trouble(self, image: Image, target: Path, *, ended: bool) -> str | None:
        """What is wrong with a state, on which `init` is run again when it holds no node."""
        _write(image, self.folder, target)
        paths = self.paths(target)
        onion = f"{image.files[str(self.paths(self.folder).onion_key)]!r}" if self._has_onion(image) else None
        try:
            if not keys.is_made(paths):
                if ended:
                    return "there is no node, although init had ended"
                init.make_node(paths, self.settings, name="attic")
            store = FederationStore(paths.data_dir)
            store.open(writable=False)
        except EnigmaError as error:
            return str(error)
        if store.membership != Membership() or store.recoveries or (ended and store.copies()):
            return "the stores are not those of a new node"
        name = paths.name_file
        if ended and name.read_bytes() != b"attic":
            return "its name is not the one that was given"
        try:
            key, address = init.load_keys(paths)
        except EnigmaError as error:
            return str(error)
        if ended and (str(key.did), str(address.address)) != (self.node.did, self.node.onion):
            return "it is another node"
        if onion is not None and str(address.address) != self.node.onion:
            return "a noted onion address is gone"
        return None

    def _has_onion(self, image: Image) -> bool:
        return str(self.paths(self.folder).onion_key) in image.files


def _write(image: Image, source: Path, target: Path) -> None:
    target.mkdir(mode=0o700)
    for name in sorted(image.folders):
        if Path(name).is_relative_to(source) and Path(name) != source:
            (target / Path(name).relative_to(source)).mkdir(mode=0o700)
    for name, data in image.files.items():
        path = target / Path(name).relative_to(source)
        path.write_bytes(data)
        path.chmod(0o600)


@pytest.fixture
def recorded(
    tmp_path: Path, runtime_dir: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Recorded:
    (tmp_path / "disk").mkdir(mode=0o700)
    made = Recorded(tmp_path / "disk", runtime_dir, settings)
    monkeypatch.setattr(Disk, "sync", lambda self, descriptor: None)  # the states are looked at, not cut
    return made


def test_invariant_5_a_power_cut_at_any_step_of_init_leaves_a_node_or_room_for_one(
    recorded: Recorded, tmp_path: Path
) -> None:
    states = list(recorded.states())
    for number, (image, ended) in enumerate(states):
        assert recorded.trouble(image, tmp_path / f"s{number}", ended=ended) is None
    print(f"init: {len(recorded.steps)} points, {len(states)} states, 0 lost")
    assert len(recorded.steps) > 40
    assert len(states) > 20


@pytest.mark.parametrize("name", ["node.key", "onion.key"])
def test_invariant_5_no_fsync_of_a_key_can_be_left_out(recorded: Recorded, tmp_path: Path, name: str) -> None:
    """Of its content: half a key is there. Of its folder: it is gone, or the folder is."""
    steps = recorded.steps
    content = next(n for n, s in enumerate(steps) if s.kind == "sync" and Path(s.path).name == f"{name}.tmp")
    folder = Path(steps[content].path).parent
    for group in (
        [content],
        [n for n, s in enumerate(steps) if s.kind == "sync folder" and Path(s.path) == folder],
        [n for n, s in enumerate(steps) if s.kind == "sync folder" and Path(s.path) == folder.parent],
    ):
        states = enumerate(recorded.states(without=group))
        assert any(
            recorded.trouble(image, tmp_path / f"{name}{group[0]}-{number}", ended=ended)
            for number, (image, ended) in states
        )


def test_invariant_5_no_fsync_of_a_files_content_can_be_left_out(recorded: Recorded, tmp_path: Path) -> None:
    contents = [number for number, step in enumerate(recorded.steps) if step.kind == "sync"]
    assert len(contents) == 7  # two keys, two stores with a copy each, and the name
    for left_out in contents:
        states = enumerate(recorded.states(without=[left_out]))
        assert any(
            recorded.trouble(image, tmp_path / f"{left_out}-{number}", ended=ended)
            for number, (image, ended) in states
        ), recorded.steps[left_out].path
