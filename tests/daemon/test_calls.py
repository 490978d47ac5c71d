"""The table of calls is the interface of `Operations` and of `Desk`, call by call."""

from __future__ import annotations

import inspect

import pytest

from enigma_fed.daemon.calls import CALLS
from enigma_fed.daemon.desk import Desk
from enigma_fed.daemon.operations import Operations


@pytest.mark.parametrize("name", CALLS)
def test_each_call_has_the_same_parameters_everywhere(name: str) -> None:
    fields = list(CALLS[name].params.__struct_fields__)
    for kind in (Operations, Desk):
        method = inspect.signature(getattr(kind, name))
        assert list(method.parameters) == ["self", *fields]


def test_every_operation_is_a_call() -> None:
    own = {"call", "close", "hanging"}
    public = {
        name for name in vars(Operations) if not name.startswith("_") and callable(vars(Operations)[name])
    }
    assert public - own == set(CALLS)
