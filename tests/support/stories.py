"""What happens to a home, told to a `History`: the rules of joining and of recovery, on a disk in memory."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from enigma_fed.base.ids import Did
from enigma_fed.federation import accepting, inviting, rules
from enigma_fed.federation.decision import Decide
from enigma_fed.wire.join import JoinParams, JoinReply
from enigma_fed.wire.records import Observation, TrustLevel
from tests.support import memberships
from tests.support.histories import FILES, History, unchanged
from tests.support.identities import did
from tests.support.members import NOW, outgoing
from tests.support.memberships import HASH, invite_of
from tests.support.memorydisk import Killed

Story = Callable[[History], Awaitable[None]]
NODES, INVITES = FILES


def trusting(who: Did, level: TrustLevel) -> Decide[object]:
    """The owner's word on a peer."""
    return lambda m: rules.set_trust(m, who, level)


def joins(number: int) -> Decide[JoinReply | None]:
    """The join of this node arrives."""
    params: JoinParams = memberships.join(number)
    return lambda m: inviting.receive(m, params, NOW)


async def inviter(history: History) -> None:
    """An invite is made, used, confirmed; the peer is trusted, seen, removed; another is revoked."""
    await history.apply(lambda m: inviting.create(m, outgoing(7, token_hash=HASH), NOW))
    await history.apply(joins(3))
    await history.apply(joins(3))  # a retry: nothing is written
    await history.apply(lambda m: rules.confirm(m, did(3), NOW, name="barn"))
    await history.apply(trusting(did(3), TrustLevel.TRUSTED))
    history.store.observe(Observation(did=did(3), last_seen=NOW + 9))
    await history.close()
    history.start()
    await history.apply(lambda m: rules.remove(m, did(3), NOW))
    await history.apply(lambda m: inviting.create(m, outgoing(8, token_hash=b"8" * 32), NOW))
    await history.apply(lambda m: inviting.revoke(m, (b"8" * 32).hex()[:8], NOW))


async def joiner(history: History) -> None:
    """A code is accepted, tried, announced, confirmed; the peer is renamed and paused."""
    await history.apply(lambda m: memberships.accept(m, invite_of(1)))
    await history.apply(lambda m: accepting.tried(m, HASH, "nobody answers", NOW))
    await history.apply(lambda m: accepting.announced(m, HASH, TrustLevel.OBSERVER, NOW))
    await history.apply(lambda m: rules.confirm(m, did(1), NOW))
    await history.apply(lambda m: rules.rename(m, did(1), "attic"))
    await history.apply(lambda m: rules.rename(m, did(1), "cellar"))
    await history.apply(lambda m: rules.pause(m, did(1), True))


async def refused(history: History) -> None:
    """A code is accepted and refused for good."""
    await history.apply(lambda m: memberships.accept(m, invite_of(1)))
    await history.apply(lambda m: accepting.awaits_approval(m, HASH, NOW))
    await history.apply(lambda m: accepting.refused(m, HASH, "revoked", NOW))


async def invited(history: History) -> None:
    """One change of invites.json."""
    await history.apply(lambda m: inviting.create(m, outgoing(7, token_hash=HASH), NOW))


async def trusted(history: History) -> None:
    """One change of nodes.json."""
    await history.apply(lambda m: memberships.accept(m, invite_of(1)))
    history.base, history.inodes = history.disk.image, history.disk.inodes
    history.disk.steps.clear()
    history.stretches.clear()
    await history.apply(trusting(did(1), TrustLevel.TRUSTED))


async def damaged(history: History) -> None:
    """A file is damaged; its copy is used, changed, accepted, and changed again."""
    await trusted(history)
    history.damage(NODES, b'{"version": 1, "rev')
    history.start()
    await history.apply(trusting(did(1), TrustLevel.OBSERVER))
    await history.accept()
    await history.apply(trusting(did(1), TrustLevel.UNTRUSTED))


async def missing(history: History) -> None:
    """A file is gone after `init`."""
    await trusted(history)
    history.damage(NODES, None)
    history.start()
    await history.accept()


async def older(history: History) -> None:
    """Somebody puts an older file in the place of the newest one."""
    old = history.disk.image.files[str(NODES)]
    await trusted(history)
    history.damage(NODES, old)
    history.start()
    await history.accept()


async def found_while_running(history: History) -> None:
    """The file is damaged while the agent runs: it notices at the next change, and makes the one after it."""
    await trusted(history)
    history.damage(NODES, b"")
    assert not await history.apply(trusting(did(1), TrustLevel.OBSERVER))
    await history.apply(trusting(did(1), TrustLevel.OBSERVER))
    await history.accept()


async def without_copies(history: History) -> None:
    """One copy goes missing, the other is damaged."""
    await inviter(history)
    history.damage(NODES.with_name("nodes.json.bak"), None)
    history.damage(INVITES.with_name("invites.json.bak"), b"{")
    history.start()
    await history.apply(unchanged)


def killed_at(number: int) -> Story:
    """The process is killed at this step of a change; the next start answers from what it finds."""

    async def story(history: History) -> None:
        await trusted(history)
        history.disk.refuse_at, history.disk.fault = number, Killed()
        await history.apply(trusting(did(1), TrustLevel.OBSERVER))
        history.disk.refuse_at = None
        history.start()
        await history.apply(unchanged)

    return story


def failing_at(number: int, fault: OSError) -> Story:
    """This step of a change fails; then an answer that changes nothing, and a change that works."""

    async def story(history: History) -> None:
        await trusted(history)
        history.disk.refuse_at, history.disk.fault = number, fault
        await history.apply(trusting(did(1), TrustLevel.OBSERVER))
        await history.apply(unchanged)
        await history.apply(trusting(did(1), TrustLevel.UNTRUSTED))

    return story
