"""Methods that exist from the start and wait for their room."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NoReturn, Self

import msgspec

from enigma_fed.base.errors import WireError
from enigma_fed.base.rpc_errors import Refused
from enigma_fed.base.suspension import Suspended
from enigma_fed.rpc.methods import Caller, Method
from enigma_fed.wire.records import TrustLevel


class AnyParams(msgspec.Struct, frozen=True):
    """An object whose members nobody reads yet."""

    @classmethod
    def from_object(cls, obj: object, *, binary: bool) -> Self:
        """Accept any object; raises WireError for anything else."""
        if not isinstance(obj, dict):
            raise WireError("params must be an object")
        return cls()


def package_install(suspended: Callable[[], Collection[Suspended]] = tuple) -> Method:
    """`package.install`: behind the full check with a challenge, refused until there is an app policy."""

    async def refuse(caller: Caller, params: AnyParams) -> NoReturn:
        reasons = suspended()
        if reasons:
            raise Refused(f"installs are suspended here ({', '.join(reasons)})")
        raise Refused("no app policy")

    return Method(
        name="package.install",
        params=AnyParams,
        handler=refuse,
        trust=TrustLevel.TRUSTED,
        challenge=True,
    )
