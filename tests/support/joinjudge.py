"""What must hold in the join model, whatever happens: checked after every step, and at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from enigma_fed.base.ids import Did
from enigma_fed.federation.accepting import OPEN_STAGES
from enigma_fed.federation.decision import joined_before
from enigma_fed.wire.join import JoinReply
from enigma_fed.wire.records import Membership, Node, OutgoingInvite, Stage, Tombstone, TrustLevel
from tests.support.joinworld import Answer, Call, ModelHome


@dataclass(frozen=True, slots=True)
class Deed:
    """Why a membership may change: something that one home's owner or a peer did."""

    what: str
    peer: Did | None = None
    level: TrustLevel | None = None
    join: bool = False
    at: int = 0
    """The home's own time of a join that came in."""


@dataclass(slots=True)
class Granted:
    """An invite as its owner made it, and who came in by it."""

    invite: OutgoingInvite
    made: int
    revoked: bool = False
    expired: bool = False
    opened_by: Did | None = None


class Judge:
    """Remembers what owners wanted, and compares."""

    def __init__(self, *, restores: bool = False) -> None:
        self.restores = restores
        """Old copies of files come back: then a token may be forgotten, and a peer too."""
        self.intruders: set[tuple[Did, Did]] = set()
        """(home, peer): the peer sent that home what its own program would not."""
        self._steps = 0
        self._granted: dict[tuple[Did, bytes], Granted] = {}
        self._removed: dict[tuple[Did, Did], int] = {}

    def moved(self, home: ModelHome, before: Membership, deed: Deed) -> None:
        """Every change of a home's membership has a reason that its owner, or both, gave."""
        after = home.store.membership
        if after is before:
            return
        self._steps += 1
        self._note_invites(home, before, after, deed)
        old = {node.did: node for node in before.nodes.nodes}
        new = {node.did: node for node in after.nodes.nodes}
        for did in old.keys() - new.keys():
            assert deed == Deed("remove", did), f"{did.short} vanished by {deed}"
            assert after.nodes.tombstone(did) is not None, "a removed peer without a tombstone"
        for tombstone in after.nodes.removed:
            if before.nodes.tombstone(tombstone.did) != tombstone:
                self._removed[home.did, tombstone.did] = self._steps
                self._used_up(home, tombstone)
        if deed.what == "remove" and deed.peer is not None:
            self._let_go(before, after, deed.peer)
        for did, node in new.items():
            if old.get(did) is not node:
                self._member(home, before, old.get(did), node, deed)

    @staticmethod
    def _let_go(before: Membership, after: Membership, did: Did) -> None:
        """With whoever is removed, the token of its join that waited goes into the tombstone."""
        tombstone = after.nodes.tombstone(did)
        waited = {entry.token_hash for entry in before.invites.pending if entry.did == did} - {None}
        if tombstone is not None and before.nodes.tombstone(did) != tombstone:
            assert waited <= set(tombstone.joined_with), "a join that waited keeps its token"

    def _used_up(self, home: ModelHome, tombstone: Tombstone) -> None:
        """A removal uses up the token of a join that waited."""
        for token_hash in tombstone.joined_with:
            granted = self._granted.get((home.did, token_hash))
            if granted is not None and granted.opened_by is None:
                granted.opened_by = tombstone.did

    def _note_invites(self, home: ModelHome, before: Membership, after: Membership, deed: Deed) -> None:
        known = {entry.token_hash for entry in before.invites.outgoing}
        for entry in after.invites.outgoing:
            if entry.token_hash not in known:
                assert deed.what == "create", "an invite that the owner did not make"
                self._granted[home.did, entry.token_hash] = Granted(entry, self._steps)
            granted = self._granted[home.did, entry.token_hash]
            granted.revoked |= entry.stage is Stage.REVOKED
            granted.expired |= entry.stage is Stage.EXPIRED

    def _member(self, home: ModelHome, before: Membership, old: Node | None, node: Node, deed: Deed) -> None:
        fresh = set(node.joined_with) - set(joined_before(before, node.did))
        used = [self._granted[home.did, one] for one in fresh if (home.did, one) in self._granted]
        for granted in used:
            self._opened(home, granted, node, deed, back=old is None)
        if old is None:
            self._let_in(node, used, deed)
            return
        if node.trust_level is not old.trust_level:
            assert deed == Deed("trust", node.did, node.trust_level), f"trust changed by {deed}"
        if node.confirmed and not old.confirmed:
            self._confirmed(old, deed)
        if node.they_forgot_us and not old.they_forgot_us:
            strange = self.restores or (home.did, node.did) in self.intruders
            assert strange, "nobody lost anything, and yet a peer is said to have forgotten this home"

    def _opened(self, home: ModelHome, granted: Granted, node: Node, deed: Deed, *, back: bool) -> None:
        """A token opens one membership, for whom it was made, while it is good, after any removal."""
        assert deed.peer == node.did, f"a token was used by {deed}"
        assert deed.what in {"serve", "approve"}
        if self.restores:
            return
        assert granted.opened_by in {None, node.did}, "a token opened two memberships"
        granted.opened_by = node.did
        assert granted.invite.for_did in {None, node.did}, "a code for another home opened this one"
        assert not granted.revoked, "a revoked code opened a membership"
        removed = self._removed.get((home.did, node.did), -1)
        assert not back or granted.made > removed, "a removed peer returned by an invite of before"
        if deed.what == "serve":
            assert deed.join
            assert not granted.expired, "an expired code opened a membership by itself"
            assert deed.at < granted.invite.expires_at

    @staticmethod
    def _let_in(node: Node, used: list[Granted], deed: Deed) -> None:
        """A new member: its code was accepted here, or it came by one token; with the level of that."""
        assert not node.confirmed, "a member with rights before anything was confirmed"
        assert deed.peer == node.did, f"{node.did.short} came in by {deed}"
        if node.stage is Stage.ACCEPTED_HERE:
            assert deed == Deed("accept", node.did, node.trust_level)
            return
        assert node.stage is Stage.USED
        assert len(used) == 1, "a member without a token"
        assert node.trust_level.rank <= used[0].invite.scope.rank, "more than the owner gave"

    @staticmethod
    def _confirmed(old: Node, deed: Deed) -> None:
        """A confirmation takes a signed word of that very peer, and of a joiner not its join alone."""
        assert deed.peer == old.did, f"confirmed by {deed}"
        assert deed.what in {"serve", "poll"}, f"confirmed by {deed}"
        if deed.what == "serve":
            assert old.stage is not Stage.REFUSED, "one that refused us confirmed itself"
            assert not (old.stage is Stage.USED and deed.join), "a join confirmed itself"

    def served(self, home: ModelHome, call: Call) -> None:
        """Nothing is served without rights."""
        node = home.member(call.caller)
        assert node is not None, "a stranger was served"
        assert node.confirmed, "rights before the confirmation"
        needed = call.trust or TrustLevel.OBSERVER
        assert node.trust_level.rank >= needed.rank >= TrustLevel.OBSERVER.rank, "rights that nobody gave"

    def answered(self, home: ModelHome, before: Membership, answer: Answer) -> None:
        """The same joiner with the same token gets the same answer, and nothing is written."""
        params = answer.call.params
        if params is None or self.restores:
            return
        node = before.nodes.find(params.did)
        granted = self._granted.get((home.did, params.token_hash))
        code = getattr(answer.error, "code", "")
        if granted is None:
            assert not isinstance(answer.result, JoinReply) or node is not None
        elif granted.invite.for_did not in {None, params.did}:
            assert code in {"wrong-joiner", "unknown-token", "internal", "busy"}, "the code was for another"
        elif code == "removed":
            removed = self._removed.get((home.did, params.did), -1)
            assert granted.made < removed, "an invite of after the removal is refused"
        elif node is not None and params.token_hash in node.joined_with and code != "internal":
            assert isinstance(answer.result, JoinReply), f"a retry was refused: {code}"
            assert answer.result.trust is node.trust_level
            assert home.store.membership == before, "a retry wrote something"

    def restarted(self, home: ModelHome, before: Membership, candidate: Membership | None) -> None:
        """After a crash the files tell of the last acknowledged change, or of the one under way."""
        fitting = [shape(before)] + ([] if candidate is None else [shape(candidate)])
        found = shape(home.store.membership)
        apart = [
            {part: (found[part], one[part]) for part in one if one[part] != found[part]} for one in fitting
        ]
        assert {} in apart, f"a crash left a mixture: {apart}"

    def settled(self, homes: list[ModelHome]) -> None:
        """After the network healed: both sides of every membership are confirmed, unless somebody said no."""
        for home in homes:
            for other in homes:
                if home is not other:
                    self._settled(home, other)

    def _settled(self, home: ModelHome, other: ModelHome) -> None:
        node, back = home.member(other), other.member(home)
        if node is None or self._said_no(node, back):
            return
        where = f"{home.number} has {other.number} at {node.stage}"
        if back is None:
            lost = self.restores or node.they_forgot_us  # which was judged when it came
            assert lost or node.stage in OPEN_STAGES, where
            assert node.stage is not Stage.ACCEPTED_HERE or self._undeliverable(home, other), where
            return
        assert node.confirmed or node.stage is Stage.AWAITING_APPROVAL, f"{where}, it us at {back.stage}"
        self._tokens_used(home, other)

    @staticmethod
    def _said_no(node: Node, back: Node | None) -> bool:
        levels = (node.trust_level, back.trust_level if back else node.trust_level)
        return TrustLevel.UNTRUSTED in levels or node.stage is Stage.REFUSED

    @staticmethod
    def _undeliverable(home: ModelHome, other: ModelHome) -> bool:
        """Whether the join cannot have come: the other side never wrote the invite down, or lost it."""
        waits = [entry for entry in home.store.membership.invites.incoming if entry.did == other.did]
        made = {entry.token_hash for entry in other.store.membership.invites.outgoing}
        return all(entry.token_hash not in made for entry in waits if entry.code is not None)

    def _tokens_used(self, home: ModelHome, other: ModelHome) -> None:
        if self.restores:
            return
        for entry in home.store.membership.invites.incoming:
            if entry.did == other.did and entry.stage in {Stage.ANNOUNCED, Stage.CONFIRMED_BOTH}:
                granted = self._granted[other.did, entry.token_hash]
                assert granted.opened_by == home.did, "a join that is over without its token used up"


def shape(known: Membership) -> Any:
    """What must not be lost or mixed: members, tombstones, tokens, joins under way."""
    members = known.nodes.nodes
    return {
        "members": {
            node.did.short: (node.stage.value, node.trust_level.value, _ids(node.joined_with), node.paused)
            for node in members
        },
        "removed": {grave.did.short: _ids(grave.joined_with) for grave in known.nodes.removed},
        "outgoing": {entry.id: _condition(known, entry) for entry in known.invites.outgoing},
        "incoming": [
            # How an answered join of a peer that is gone reads is of no account.
            (entry.id, entry.code is None, entry.stage.value if known.nodes.find(entry.did) else "")
            for entry in known.invites.incoming
        ],
        # A member's older join that waits is of no account.
        "waiting": {entry.did.short for entry in known.invites.pending} - {n.did.short for n in members},
    }


def _ids(hashes: tuple[bytes, ...]) -> list[str]:
    return [one.hex()[:8] for one in hashes]


def _condition(known: Membership, entry: OutgoingInvite) -> str:
    if entry.stage in {Stage.CREATED, Stage.EXPIRED}:
        return entry.stage.value
    return "over"
