"""Whether a request may pass by its own times, by a challenge, or not now (PROTOCOL sections 1.3 and 1.4)."""

from __future__ import annotations

from collections.abc import Callable

from enigma_fed.base import limits
from enigma_fed.base.rpc_errors import BadChallenge, Stale
from enigma_fed.rpc import rules
from enigma_fed.rpc.challenge import Challenger
from enigma_fed.rpc.noncetable import NonceTable
from enigma_fed.wire.httpsig import SignedRequest


class Freshness:
    """The times of requests, and what is remembered of those that were let in.

    Wall times are Unix seconds, boot times seconds of CLOCK_BOOTTIME.
    """

    def __init__(
        self,
        challenger: Challenger,
        challenge_all: Callable[[float], bool],
        nonces: NonceTable,
        let_in: Callable[[float], None],
    ) -> None:
        """`challenge_all` tells, at a boot time, whether every caller is to be challenged.

        `let_in` hears the wall time up to which an answer to a challenge was signed.
        """
        self._challenger = challenger
        self._challenge_all = challenge_all
        self._nonces = nonces
        self._let_in = let_in
        # By member: the newest time to come for which it signed an answer to a challenge. Its first try,
        # signed for that time too, would be fresh then, its nonce forgotten.
        self._ahead: dict[bytes, int] = {}

    def check(self, signed: SignedRequest, public_key: bytes, wall: float, boot: float) -> None:
        """Raise BadChallenge, or Stale with a challenge, unless it may pass now."""
        if signed.challenge is not None:
            if not self._challenger.holds(signed.challenge, public_key, signed.nonce, boot):
                raise BadChallenge
        elif rules.is_stale(signed.created, signed.expires, wall):
            raise self.challenge("outside the time window", signed, public_key, boot)
        elif signed.created <= self._ahead.get(public_key, 0):
            raise self.challenge("its clock ran ahead before", signed, public_key, boot)
        elif self._challenge_all(boot):
            why = "this node just started or does not trust its clock"
            raise self.challenge(why, signed, public_key, boot)

    def challenge(self, why: str, signed: SignedRequest, public_key: bytes, boot: float) -> Stale:
        """The error that asks for one more round trip."""
        return Stale(why, challenge=self._challenger.issue(public_key, signed.nonce, boot))

    def use(
        self,
        signed: SignedRequest,
        public_key: bytes,
        wall: float,
        boot: float,
        token_hash: bytes | None = None,
    ) -> None:
        """Remember that a request whose signature held is let in; raises Replayed, Busy.

        `token_hash` is of the token by which a key that is no member's comes in.
        """
        # A challenged request never passes by its `created`, nor does its first try (`_ahead`): it need not
        # be remembered up to that time.
        created = signed.created if signed.challenge is None else int(wall)
        end = rules.nonce_end(created, wall, boot)
        self._nonces.use(public_key, signed.nonce, until=end, now=boot, token_hash=token_hash)
        if signed.challenge is None:
            return
        # The first try was signed no later than this one: a clock set back must get past that time again.
        self._let_in(min(wall, signed.created))
        if token_hash is None and signed.created > wall + limits.FRESHNESS_WINDOW:
            self._ahead[public_key] = max(signed.created, self._ahead.get(public_key, 0))
