"""What is known of a request on its way through the checks."""

from __future__ import annotations

import pytest

from enigma_fed.rpc.methods import Standing
from enigma_fed.rpc.passage import Passage
from enigma_fed.wire.jsonrpc import BodyForm


@pytest.mark.parametrize("standing", list(Standing))
def test_a_request_is_a_members_once_its_signature_held(standing: Standing) -> None:
    known = standing in (Standing.MEMBER, Standing.SELF)
    assert Passage(BodyForm.JSON, standing=standing, signature_held=True).of_a_member is known
    assert not Passage(BodyForm.JSON, standing=standing).of_a_member
