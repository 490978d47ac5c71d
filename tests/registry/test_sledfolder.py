"""A folder with sled's database in it is not one for a new registry."""

from __future__ import annotations

import pytest

from enigma_fed.base.registry_errors import ForeignStore
from enigma_fed.registry import sledfolder


@pytest.mark.parametrize(
    "names", [["conf", "db"], ["blobs"], ["snap.000000000000D4F3"], ["blobs", "conf", "db", "snap.0A"]]
)
def test_invariant_5_sleds_files_are_refused_and_never_taken_for_an_empty_folder(names: list[str]) -> None:
    with pytest.raises(ForeignStore) as refused:
        sledfolder.refuse("/srv/registry_db", names)
    assert refused.value.exit_code == 7
    assert "/srv/registry_db" in str(refused.value)
    assert "storage.path" in refused.value.hint


@pytest.mark.parametrize("names", [[], ["lock"], ["db"], ["conf"], ["registry.key", "index.key.new"]])
def test_other_files_are_no_sled(names: list[str]) -> None:
    sledfolder.refuse("/srv/registry_db", names)


def test_a_folder_that_was_taken_over_is_ours() -> None:
    sledfolder.refuse("/srv/registry_db", ["conf", "db", "snap.0A", "registry.db"])
