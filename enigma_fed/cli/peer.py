"""`enigma-fed peer …`: the homes that this node knows."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeVar

import click

from enigma_fed.base.errors import Conflict, EnigmaError, PeerNotFound, UsageError
from enigma_fed.cli.context import CliContext, current
from enigma_fed.cli.groups import Group
from enigma_fed.cli.history import history
from enigma_fed.cli.peerlist import list_peers, show_list
from enigma_fed.cli.types import TRUST

if TYPE_CHECKING:
    from enigma_fed.daemon.operations import Operations
    from enigma_fed.wire.views import PeerView

_DID_START: Final = "z6Mk"
_PIECE: Final = 6
"""Characters of a DID that name a peer, at least."""
_UNDER_WAY: Final = {
    "accepted-here": "the join is recorded here and has not reached it yet; the agent goes on trying",
    "announced": "it took the join; its first signed answer is still to come",
    "used": "it joined with your invite; its first request is still to come",
    "awaiting-approval": "its owner has to let this node in, because the code had expired",
    "refused": "it refused this node",
}
"""What is pending with a peer at a stage."""

T = TypeVar("T")


@click.group(
    "peer",
    cls=Group,
    examples=("enigma-fed peer list", "enigma-fed peer show attic"),
    instead={"resume": "enigma-fed peer pause {} --resume"},
)
def peer() -> None:
    """See and manage the homes that this node knows.

    A PEER is a name, a DID, or the first 6 or more characters of a DID after did:key:.
    """


peer.add_command(list_peers)


def _told(entry: PeerView) -> str:
    from enigma_fed.wire.calling import told

    return told(entry)


def _waits(entry: PeerView) -> bool:
    """Whether it is no member, but a joiner that waits for the owner's word."""
    return entry.stage == "awaiting-approval" and entry.joined_as == "inviter"


@contextmanager
def _opened(here: CliContext, ref: str, *, mutating: bool) -> Iterator[Operations]:
    """The node's operations on PEER, whom hints name; a piece of a DID that is too short is told so."""
    try:
        with here.operations(mutating=mutating) as node:
            yield node
    except PeerNotFound as error:
        piece = ref.removeprefix("did:key:")
        if not (2 <= len(piece) < _PIECE and piece.startswith(_DID_START[: len(piece)])):
            raise
        why = f"a DID needs at least {_PIECE} characters after did:key:"
        raise PeerNotFound(f"{ref}; {why}", hint=error.hint) from None
    except EnigmaError as error:
        if ref:
            error.hint = error.hint.replace(" PEER", f" {shlex.quote(ref)}")
        raise


@peer.command("show", examples=("enigma-fed peer show attic",))
@click.argument("ref", metavar="PEER")
def show(ref: str) -> None:
    """Show all that is known about PEER."""
    here = current()
    with _opened(here, ref, mutating=False) as node:
        entry = node.peer_show(ref)
    _show_one(here, entry)


def _show_one(here: CliContext, entry: PeerView) -> None:
    from enigma_fed.cli import output
    from enigma_fed.cli.peershown import details

    if here.json:
        output.data_json(entry)
    else:
        output.details(details(entry, time.time(), bars=output.draws_bars()))


@peer.command("approve", examples=("enigma-fed peer approve attic",))
@click.argument("ref", metavar="PEER")
def approve(ref: str) -> None:
    """Let a PEER in that waits for your approval.

    Its join came too late, or without a token.
    """
    from enigma_fed.cli.humane import role

    here = current()
    with _opened(here, ref, mutating=True) as node:
        entry = _or_explain(node, ref, node.peer_approve)
    _done(here, entry, f"{_told(entry)} may join; it becomes {role(entry.trust_level)} here.")
    if entry.legacy and not here.json:
        _warn_of_legacy(entry)


def _or_explain(node: Operations, ref: str, operation: Callable[[str], T]) -> T:
    """Do it; a peer that is known, but not among those that this can be done with, is a Conflict."""
    try:
        return operation(ref)
    except PeerNotFound:
        known = node.peer_show(ref)
        if not _waits(known):
            raise Conflict(
                f"{_told(known)} does not wait for approval", hint="See: enigma-fed peer list"
            ) from None
        hint = f"Let it in: enigma-fed peer approve {known.did}"
        raise Conflict(f"{_told(known)} waits for your approval", hint=hint) from None


@peer.command(
    "trust",
    examples=(
        "enigma-fed peer trust attic trusted",
        "enigma-fed peer trust attic untrusted",
        "enigma-fed peer trust attic observer --legacy",
    ),
)
@click.argument("ref", metavar="PEER")
@click.argument("level", type=TRUST)
@click.option("--legacy/--no-legacy", default=None, help="Answer the Rust agent's weaker signature, or not.")
def trust(ref: str, level: str, legacy: bool | None) -> None:
    """Set what PEER may do here.

    An untrusted peer may do nothing, an observer sees this node's state, a trusted one may also ask for
    installs (nothing installs yet).
    The Rust agent signs the time alone. With --legacy such a request of PEER is answered with this node's
    state, and with nothing else; without either flag that stays as it is.
    """
    from enigma_fed.cli.humane import role

    here = current()
    with _opened(here, ref, mutating=True) as node:
        entry = node.peer_trust(ref, level, legacy)
    _done(here, entry, f"{_told(entry)} is {role(entry.trust_level)} here now.")
    if legacy and not here.json:
        _warn_of_legacy(entry)


def _warn_of_legacy(entry: PeerView) -> None:
    from enigma_fed.cli import output
    from enigma_fed.cli.humane import printable

    name = printable(_told(entry))
    output.advise(
        f"Warning: whoever receives a legacy request of {name} can play it here within a minute, and read "
        f"this node's state in its name. Take it back once {name} is up to date: "
        f"enigma-fed peer trust {entry.did} {entry.trust_level} --no-legacy"
    )


@peer.command(
    "rename",
    examples=('enigma-fed peer rename z6MkhaXg "Grandma\'s attic"', 'enigma-fed peer rename attic ""'),
)
@click.argument("ref", metavar="PEER")
@click.argument("name")
def rename(ref: str, name: str) -> None:
    """Call PEER by NAME here; an empty NAME brings its own name back."""
    here = current()
    with _opened(here, ref, mutating=True) as node:
        entry = node.peer_rename(ref, name or None)
    _done(here, entry, f"It is called {_told(entry)} here now.")


@peer.command("remove", examples=("enigma-fed peer remove attic", "enigma-fed peer remove attic --yes"))
@click.argument("ref", metavar="PEER")
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(ref: str, yes: bool) -> None:
    """Remove PEER at once; it comes back only by a new invite."""
    from enigma_fed.cli import output
    from enigma_fed.cli.failures import Declined
    from enigma_fed.cli.humane import printable

    here = current()
    if output.interactive() and not yes:
        with _opened(here, ref, mutating=False) as node:
            entry = node.peer_show(ref)
        ref = entry.did or ref
        if not output.confirm(f"Remove {printable(_told(entry))} ({entry.did})?"):
            raise Declined("you said no")
    with _opened(here, ref, mutating=True) as node:
        removed = node.peer_remove(ref)
    if here.json:
        output.data_json({"removed": ref})
    else:
        name = printable(_told(removed))
        output.talk(f"Removed {name}. It can no longer read anything here; a new invite lets it back in.")


@peer.command("sync", examples=("enigma-fed peer sync", "enigma-fed peer sync attic"))
@click.argument("ref", metavar="[PEER]", required=False)
def sync(ref: str | None) -> None:
    """Ask PEER, or every peer, for its state now.

    Without PEER those that are paused are left out; a paused one that is named is asked this once.
    """
    from enigma_fed.cli import output

    here = current()
    with _opened(here, ref or "", mutating=True) as node:
        with output.progress("asking over Tor, this can take a minute"):
            found = node.peer_sync(None) if ref is None else _or_explain(node, ref, node.peer_sync)
        everybody = node.peer_list() if ref is None and not here.json else []
    waiting = [entry for entry in everybody if _waits(entry)]
    show_list(here, [*found, *waiting])
    if not here.json:
        _tell_pending(found, waiting)


def _tell_pending(members: list[PeerView], waiting: list[PeerView]) -> None:
    from enigma_fed.cli import output
    from enigma_fed.cli.humane import printable

    for entry in members:
        if entry.stage in _UNDER_WAY:
            output.talk(f"{printable(_told(entry))}: {_UNDER_WAY[entry.stage]}.")
    for entry in waiting:
        name = printable(_told(entry))
        output.advise(f"{name} waits for your approval: enigma-fed peer approve {entry.did}")


@peer.command("ping", examples=("enigma-fed peer ping attic",))
@click.argument("ref", metavar="PEER")
def ping(ref: str) -> None:
    """Reach PEER now, and say how long its signed answer took."""
    from enigma_fed.cli import output
    from enigma_fed.cli.humane import milliseconds, printable
    from enigma_fed.cli.peerrow import clock

    here = current()
    with (
        _opened(here, ref, mutating=True) as node,
        output.progress("asking over Tor, this can take a minute"),
    ):
        answer = _or_explain(node, ref, node.peer_ping)
    if here.json:
        output.data_json(answer)
        return
    skew = f", its clock is {clock(answer.skew_s)}" if answer.skew_s else ""
    output.data(f"{printable(answer.name)} answered in {milliseconds(answer.latency_ms)}{skew}")


@peer.command("pause", examples=("enigma-fed peer pause attic", "enigma-fed peer pause attic --resume"))
@click.argument("ref", metavar="PEER")
@click.option("--resume", is_flag=True, help="Ask it again from now on.")
def pause(ref: str, resume: bool) -> None:
    """Stop asking PEER for its state; it may still ask this node."""
    here = current()
    with _opened(here, ref, mutating=True) as node:
        entry = node.peer_pause(ref, not resume)
    _done(here, entry, f"{_told(entry)} is {'asked again' if resume else 'no longer asked'}.")


@peer.command(
    "offline",
    examples=("enigma-fed peer offline attic 23:00-07:00", "enigma-fed peer offline attic --none"),
)
@click.argument("ref", metavar="PEER")
@click.argument("windows", metavar="[WINDOW]...", nargs=-1)
@click.option("--none", "nothing", is_flag=True, help="Expect PEER to be on at every time again.")
def offline(ref: str, windows: tuple[str, ...], nothing: bool) -> None:
    """Say when PEER is expected to be off each day.

    A WINDOW is like 23:00-07:00, in this machine's time zone; it may pass midnight. Up to 4 of them, with
    spaces or commas in between, take the place of those of before. While one lasts, PEER reads
    offline-expected when it does not answer, and nobody is told to look after it. It is asked all the same,
    which is how its return is noticed.
    """
    named = [text for word in windows for part in word.split(",") if (text := part.strip())]
    if nothing == bool(named):
        why = "a WINDOW and --none exclude each other" if nothing else "name at least one WINDOW, or --none"
        raise UsageError(why, hint=f"Like: enigma-fed peer offline {shlex.quote(ref)} 23:00-07:00")
    here = current()
    with _opened(here, ref, mutating=True) as node:
        entry = node.peer_offline(ref, named)
    when = ", ".join(entry.offline_windows)
    expected = f"to be off each day: {when}" if when else "to be on at every time"
    _done(here, entry, f"{_told(entry)} is expected {expected}.")
    _warn_of_long_absence(here, entry)


def _warn_of_long_absence(here: CliContext, entry: PeerView) -> None:
    from enigma_fed.base import limits
    from enigma_fed.cli import output
    from enigma_fed.cli.humane import printable
    from enigma_fed.wire.windows import minutes_in, parse_windows

    if not here.json and minutes_in(parse_windows(entry.offline_windows)) > limits.AWAY_MINUTES:
        name = printable(_told(entry))
        output.advise(
            f"Warning: less than four hours of a day are left; at all others nobody is told that {name} is "
            "missing."
        )


def _done(here: CliContext, entry: PeerView, text: str) -> None:
    from enigma_fed.cli import output
    from enigma_fed.cli.humane import printable

    if here.json:
        output.data_json(entry)
    else:
        output.talk(printable(text))


peer.add_command(history)
