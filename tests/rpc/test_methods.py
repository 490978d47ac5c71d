"""The method table."""

from __future__ import annotations

import pytest

from enigma_fed.base.errors import FieldInvalid
from enigma_fed.rpc.builtin import package_install
from enigma_fed.rpc.methods import MethodTable


def test_methods_are_found_by_name() -> None:
    install = package_install()
    table = MethodTable([install])
    assert table.names == ("package.install",)
    assert table.find("package.install") is install
    assert table.find("package.remove") is None


def test_two_methods_cannot_share_a_name() -> None:
    with pytest.raises(FieldInvalid):
        MethodTable([package_install(), package_install()])
