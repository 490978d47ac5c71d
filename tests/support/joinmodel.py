"""The join model: homes, owners that do anything, a network that does its worst, kills and restarts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Final

from enigma_fed.base.errors import EnigmaError, PeerUnreachable
from enigma_fed.federation import schedule
from enigma_fed.federation.accepting import delivery_ends, is_open
from enigma_fed.federation.client import GET_STATE, PEER_JOINED
from enigma_fed.wire import invite
from enigma_fed.wire.join import JoinParams, TokenlessJoin, joining_message
from enigma_fed.wire.records import IncomingInvite, Membership, TrustLevel
from tests.support.joinjudge import Deed, Judge
from tests.support.joinworld import Answer, Call, Crash, ModelHome, ModelTask, Wait, run_now, serve

Pick = Callable[[int], int]
"""A number from 0 up to one less than the argument: where the driver's choices come from."""
LEVELS: Final = tuple(TrustLevel)
SCOPES: Final = (TrustLevel.OBSERVER, TrustLevel.TRUSTED)
TTLS: Final = (60, 3600, 86400)
STEPS: Final = (-90000, -3600, -61, 61, 3600, 90000)
WAITS: Final = (1, 30, 600, 4000, 90000)
IN_FLIGHT: Final = 12


class World:
    """Everything that the model holds; each move is a method that takes its choices from `pick`."""

    def __init__(self, homes: int, *, restores: bool = False) -> None:
        self.time = 0
        self.judge = Judge(restores=restores)
        self.requests: list[Call] = []
        self.answers: list[Answer] = []
        self.codes: list[str] = []
        self.counts: Counter[str] = Counter()
        self.homes = [ModelHome(self, number + 1) for number in range(homes)]

    # What runs

    def begin(
        self, home: ModelHome, what: str, peer: ModelHome, work: Coroutine[Wait, Any, Any], **more: Any
    ) -> None:
        """Start a coroutine and let it come to its first stop."""
        task = ModelTask(home, what, peer.did, work, **more)
        home.tasks.append(task)
        self.advance(task, None)

    def advance(self, task: ModelTask, value: object) -> None:
        """Let a coroutine go on to its next stop, with a value or an error."""
        home, before = task.home, task.home.store.membership
        dropped = task.dropped
        if task.call is not None:
            task.deed = replace(task.deed, at=home.now())
        task.waits = None
        answer: object = None
        try:
            if isinstance(value, BaseException):
                task.waits = task.work.throw(value)
            else:
                task.waits = task.work.send(value)
        except StopIteration as end:
            answer = end.value
        except Crash:
            self._crashed(home, task.deed)
            return
        except EnigmaError as error:
            answer = error
        if dropped and task.waits is not None:
            task.work.close()
            task.waits = None
        self.judge.moved(home, before, task.deed)
        if task.waits is None:
            self._ended(task, answer, before, dropped=dropped)
        elif task.waits.call is not None:
            task.waits.call.task = task
            self.requests.append(task.waits.call)

    def _ended(self, task: ModelTask, answer: object, before: Membership, *, dropped: bool) -> None:
        if task in task.home.tasks:
            task.home.tasks.remove(task)
        if task.call is None:
            return
        if dropped:
            self._fail(task.call)
            return
        failed = isinstance(answer, EnigmaError)
        told = Answer(task.call, None if failed else answer, answer if failed else None)  # type: ignore[arg-type]
        self.judge.answered(task.home, before, told)
        self.answers.append(told)

    def _crashed(self, home: ModelHome, deed: Deed) -> None:
        home.crashed_in = deed
        self.counts["crashes"] += 1
        self._stop(home)

    def _stop(self, home: ModelHome) -> None:
        served = [task.call for task in home.tasks if task.call is not None]
        home.die()
        for call in served:
            self._fail(call)  # their connections break

    def act(self, home: ModelHome, deed: Deed, work: Coroutine[Any, Any, Any]) -> Any:
        """What an owner does, at once; what it raises is no concern of the model."""
        before = home.store.membership
        made = None
        try:
            made = run_now(work)
        except Crash:
            self._crashed(home, deed)
            return None
        except EnigmaError:
            self.counts["refused owners"] += 1
        self.judge.moved(home, before, deed)
        return made

    # Owners

    def create(self, home: ModelHome, pick: Pick) -> None:
        others = [other.did for other in self.homes if other is not home]
        for_did = others[pick(len(others))] if pick(4) == 0 else None
        scope, ttl, legacy = SCOPES[pick(2)], TTLS[pick(len(TTLS))], pick(5) == 0
        work = home.federation.create_invite(scope, ttl, for_did=for_did, legacy=legacy)
        view = self.act(home, Deed("create"), work)
        if view is not None:
            self.codes.append(view.code)

    def accept(self, home: ModelHome, pick: Pick) -> None:
        if self.codes:
            self.accept_code(home, self.codes[-1 - pick(min(6, len(self.codes)))], LEVELS[pick(3)])

    def accept_code(self, home: ModelHome, code: str, trust: TrustLevel) -> None:
        said, before = invite.decode(code), home.store.membership
        did = said.did
        known = home.store.membership.nodes.find(did)
        deed = Deed("accept", did, known.trust_level if known else trust)
        self.act(home, deed, home.federation.accept_invite(code, trust, False))
        if said.for_did not in {None, home.did}:
            known = {entry.token_hash for entry in before.invites.incoming}
            now = {entry.token_hash for entry in home.store.membership.invites.incoming}
            assert now <= known, "a code for another home was written down"

    def revoke(self, home: ModelHome, pick: Pick) -> None:
        made = home.store.membership.invites.outgoing
        if made:
            chosen = made[-1 - pick(min(4, len(made)))].token_hash.hex()
            self.act(home, Deed("revoke"), home.federation.revoke(chosen))

    def approve(self, home: ModelHome, pick: Pick) -> None:
        waiting = home.store.membership.invites.pending
        if waiting:
            did = waiting[pick(len(waiting))].did
            self.act(home, Deed("approve", did), home.federation.approve(str(did)))

    def remove(self, home: ModelHome, pick: Pick) -> None:
        other = self._other(home, pick)
        before = home.store.membership
        self.act(home, Deed("remove", other.did), home.federation.remove(str(other.did)))
        if home.up and before.nodes.find(other.did) and home.member(other) is None:
            left = [task for task in home.tasks if task.peer == other.did and not task.dropped]
            assert not any(task.call or (task.waits and task.waits.call) for task in left), "not cut"

    def trust(self, home: ModelHome, pick: Pick) -> None:
        other, level = self._other(home, pick), LEVELS[pick(3)]
        deed = Deed("trust", other.did, level)
        self.act(home, deed, home.federation.set_trust(str(other.did), level))

    def pause(self, home: ModelHome, pick: Pick) -> None:
        other = self._other(home, pick)
        self.act(home, Deed("pause", other.did), home.federation.pause(str(other.did), pick(2) == 0))

    def _other(self, home: ModelHome, pick: Pick) -> ModelHome:
        others = [other for other in self.homes if other is not home]
        return others[pick(len(others))]

    # What homes do by themselves

    def deliver(self, home: ModelHome, pick: Pick) -> None:
        waiting = [entry for entry in home.store.membership.invites.incoming if is_open(entry)]
        if waiting:
            self.deliver_entry(home, waiting[pick(len(waiting))])

    def deliver_entry(self, home: ModelHome, entry: IncomingInvite) -> None:
        """One try to announce, as the outbox does it: one at a time for each join."""
        if any(task.key == entry.token_hash for task in home.tasks):
            return
        inviter = next(other for other in self.homes if other.did == entry.did)
        over = home.now() > delivery_ends(entry)
        work = home.exchange.give_up(entry) if over else home.exchange.deliver(entry)
        self.begin(home, "deliver", inviter, work, key=entry.token_hash, deed=Deed("deliver", inviter.did))

    def poll(self, home: ModelHome, pick: Pick) -> None:
        self.poll_peer(home, self._other(home, pick))

    def poll_peer(self, home: ModelHome, other: ModelHome) -> None:
        node = home.member(other)
        if node is None or not schedule.polled(node) or any(task.key == other.did for task in home.tasks):
            return
        work = home.exchange.poll(other.did)
        self.begin(home, "poll", other, work, key=other.did, deed=Deed("poll", other.did))

    def sweep(self, home: ModelHome, pick: Pick) -> None:
        self.act(home, Deed("sweep"), home.sweep())

    # Strangers and hostile peers

    def intrude(self, home: ModelHome, pick: Pick) -> None:
        """A request that the home's own program would not send: an install, a state, a leaked token."""
        other = self._other(home, pick)
        self.judge.intruders.add((other.did, home.did))
        kind = pick(3)
        if kind < 2 or not self.codes:
            trust = TrustLevel.TRUSTED if kind else TrustLevel.OBSERVER
            self.requests.append(Call(home, other.onion, GET_STATE, trust))
            return
        token = invite.decode(self.codes[-1 - pick(min(6, len(self.codes)))]).token
        signature = home.key.sign(joining_message(home.did, home.onion))
        params = JoinParams(did=home.did, onion=home.onion, token=token, signature=signature)
        self.requests.append(Call(home, other.onion, PEER_JOINED, None, params))

    def tokenless(self, home: ModelHome, pick: Pick) -> None:
        """A join without a token, in the name of `home`, as anybody can send it again."""
        other = self._other(home, pick)
        if other.up:
            self.judge.intruders.add((other.did, home.did))
            signature = home.key.sign(joining_message(home.did, home.onion))
            join = TokenlessJoin(did=home.did, onion=home.onion, signature=signature)
            self.act(other, Deed("tokenless", home.did), other.take_tokenless(join))

    # The network

    def arrive(self, pick: Pick) -> None:
        """A request reaches its home, in any order; sometimes once more later."""
        if not self.requests:
            return
        at = pick(len(self.requests))
        self.counts["reordered"] += at > 0
        call = self.requests[at]
        if pick(8) == 0:
            self.counts["doubled"] += 1
        else:
            del self.requests[at]
        self.take(call)

    def take(self, call: Call) -> None:
        target = next(home for home in self.homes if home.onion == call.target)
        if not target.up:
            self._fail(call)
            return
        self.counts["messages"] += 1
        deed = Deed("serve", call.caller.did, join=call.params is not None)
        self.begin(target, "serve", call.caller, serve(target, call), call=call, deed=deed)

    def lose_request(self, pick: Pick) -> None:
        if self.requests:
            self.counts["lost"] += 1
            self._fail(self.requests.pop(pick(len(self.requests))))

    def reply(self, pick: Pick) -> None:
        if self.answers:
            at = pick(len(self.answers))
            self.counts["reordered"] += at > 0
            self.bring(self.answers.pop(at))

    def bring(self, answer: Answer) -> None:
        task, answer.call.task = answer.call.task, None
        if task is not None:
            self.counts["answers"] += 1
            self.advance(task, answer.result if answer.error is None else answer.error)

    def lose_answer(self, pick: Pick) -> None:
        if self.answers:
            self.counts["lost"] += 1
            self._fail(self.answers.pop(pick(len(self.answers))).call)

    def give_up_waiting(self, pick: Pick) -> None:
        """A caller waits no longer; its request may still arrive."""
        waiting = [call for call in self.requests if call.task is not None]
        waiting += [answer.call for answer in self.answers if answer.call.task is not None]
        if waiting:
            self.counts["delayed"] += 1
            self._fail(waiting[pick(len(waiting))])

    def _fail(self, call: Call) -> None:
        task, call.task = call.task, None
        if task is not None:
            self.advance(task, PeerUnreachable("nobody answers"))

    def go_on(self, pick: Pick) -> None:
        """Somebody who waits for a store gets its lock."""
        ready = [task for home in self.homes for task in home.tasks if self._ready(task)]
        if ready:
            self.advance(ready[pick(len(ready))], None)

    def under_way(self) -> tuple[bool, bool, bool]:
        """Whether requests, answers, and coroutines that wait for a store are there."""
        ready = any(self._ready(task) for home in self.homes for task in home.tasks)
        return bool(self.requests), bool(self.answers), ready

    @staticmethod
    def _ready(task: ModelTask) -> bool:
        return task.waits is not None and task.waits.call is None

    # Faults and time

    def crash(self, home: ModelHome, pick: Pick) -> None:
        """A kill, now or after some more writes."""
        home.store.crash_after = pick(3)
        if home.store.crash_after == 2:
            self._crashed(home, Deed("nothing"))

    def full_disk(self, home: ModelHome, pick: Pick) -> None:
        home.store.fail_after = pick(2)
        self.counts["failed writes"] += 1

    def restart(self, home: ModelHome) -> None:
        """Start again what was killed; the repair of the files can be killed, too."""
        if home.up:
            return
        before, candidate = home.store.membership, home.store.candidate
        deed = home.crashed_in
        home.store.candidate = home.store.crash_after = home.store.fail_after = None
        home.store.through_disk()
        home.boot()
        home.up = True
        self.judge.restarted(home, before, candidate)
        self.judge.moved(home, before, deed)
        self.counts["restarts"] += 1

    def pass_time(self, pick: Pick) -> None:
        self.time += WAITS[pick(len(WAITS))]

    def step_clock(self, home: ModelHome, pick: Pick) -> None:
        home.clock.skew += STEPS[pick(len(STEPS))]

    def save(self, home: ModelHome, pick: Pick) -> None:
        home.saved = (home.store.nodes_on_disk, home.store.invites_on_disk)

    def restore(self, home: ModelHome, pick: Pick) -> None:
        """The owner puts an old copy of the files back, with the agent stopped."""
        if home.saved is not None:
            self._stop(home)
            home.store.nodes_on_disk, home.store.invites_on_disk = home.saved
            home.store.crash_after = home.store.fail_after = home.store.candidate = None
            home.boot()
            home.up = True
            self.counts["restores"] += 1

    # The end

    def heal(self) -> None:
        """Everything works again: after some rounds nothing moves any more, and all must be well."""
        for home in self.homes:
            self.restart(home)
            home.store.crash_after = home.store.fail_after = None
        self._let_everything_come()
        for _ in range(12):
            before = [home.store.membership for home in self.homes]
            self.time += 5
            for home in self.homes:
                self._round(home)
            if all(home.store.membership is old for home, old in zip(self.homes, before, strict=True)):
                break
        self.judge.settled(self.homes)

    def _round(self, home: ModelHome) -> None:
        for node in home.store.membership.nodes.nodes:
            if node.paused:
                self.act(home, Deed("pause", node.did), home.federation.pause(str(node.did), False))
        for entry in home.store.membership.invites.incoming:
            if is_open(entry):
                self.deliver_entry(home, entry)
                self._let_everything_come()
        for other in self.homes:
            if other is not home:
                self.poll_peer(home, other)
                self._let_everything_come()

    def _let_everything_come(self) -> None:
        while (
            self.requests
            or self.answers
            or any(self._ready(task) for home in self.homes for task in home.tasks)
        ):
            self.go_on(_first)
            if self.requests:
                self.take(self.requests.pop(0))
            self.reply(_first)


def _first(count: int) -> int:
    return 0
