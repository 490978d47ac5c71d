"""What is known of a request on its way through the checks."""

from __future__ import annotations

from dataclasses import dataclass

from enigma_fed.base.ids import Did
from enigma_fed.base.rpc_errors import RpcError
from enigma_fed.rpc.methods import Method, Params, Standing
from enigma_fed.wire.jsonrpc import BodyForm, Call


@dataclass(slots=True)
class Passage:
    """How far one request has come; the reply is made from it even when a check fails."""

    form: BodyForm
    did: Did | None = None
    standing: Standing = Standing.UNKNOWN
    signature_field: str = ""
    signature_held: bool = False
    past_nonce: bool = False
    """Whether the trust step is reached: errors are HTTP 200 from here on."""
    call: Call | None = None
    method: Method | None = None
    params: Params | None = None
    token_hash: bytes | None = None
    """Of the token that a join brings, once it was looked up."""
    broken: RpcError | None = None
    """What is wrong with a member's body or method: said after the trust step."""
    legacy: bool = False
    """Whether it came with the old header set: admitted without being heard, answered without a signature."""

    @property
    def of_a_member(self) -> bool:
        """Whether the signature holds, and is a member's or this node's own."""
        return self.signature_held and self.standing in (Standing.MEMBER, Standing.SELF)
