"""Methods that exist from the start and wait for their room."""

from __future__ import annotations

import pytest

from enigma_fed.base.errors import WireError
from enigma_fed.base.rpc_errors import Refused
from enigma_fed.rpc.builtin import package_install
from enigma_fed.rpc.methods import Caller, Standing
from enigma_fed.wire.records import TrustLevel
from tests.support.signedcalls import key


async def test_install_is_behind_the_full_check_and_refused() -> None:
    install = package_install()
    assert install.challenge
    assert install.trust is TrustLevel.TRUSTED
    assert not install.open_to_unknown
    assert not install.open_to_self
    params = install.params.from_object({"id": "anything"}, binary=False)
    with pytest.raises(Refused, match="no app policy"):
        await install.handler(Caller(key(1).did, Standing.MEMBER), params)
    with pytest.raises(WireError):
        install.params.from_object([], binary=False)
