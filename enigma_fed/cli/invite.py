"""`enigma-fed invite …`: codes made here, and codes accepted here."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from enigma_fed.cli.context import CliContext, current
from enigma_fed.cli.groups import Group
from enigma_fed.cli.types import SCOPE, TRUST, ttl_option

if TYPE_CHECKING:
    from enigma_fed.wire.views import InvitePreview, InviteView, NodeView, PeerView

_WAITING: Final = "awaiting-approval"
_ENDED: Final = {
    "refusal": "refused",
    "time": "too late",
    "newer-invite": "replaced",
    "removal": "removed here",
}
"""Why an accepted invite is over without a membership."""


@click.group("invite", cls=Group, examples=("enigma-fed invite create", "enigma-fed invite accept"))
def invite() -> None:
    """Invite another home, or accept an invite.

    An invite is a code (fed1:…) that lets one home join this one, once, for a limited time.
    """


@invite.command(
    "create",
    examples=(
        "enigma-fed invite create",
        "enigma-fed invite create --scope trusted --ttl 2h",
        "enigma-fed invite create --for did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
        "enigma-fed invite create --legacy",
        "enigma-fed invite create --qr-file invite.png",
    ),
)
@click.option("--scope", type=SCOPE, default="observer", show_default=True, help="What they will be here.")
@ttl_option
@click.option("--for", "for_did", metavar="DID", help="The only home that can join with it (its DID).")
@click.option("--legacy", is_flag=True, help="For the Rust agent, whose join you then approve by hand.")
@click.option("--qr", is_flag=True, help="Draw the code as a QR code, too.")
@click.option("--qr-file", metavar="FILE", help="Write the code as a QR code into a new .png or .svg file.")
def create(scope: str, ttl: int, for_did: str | None, legacy: bool, qr: bool, qr_file: str | None) -> None:
    """Make an invite code for one other home, and print it.

    An observer sees this node's state; a trusted home may also ask for installs (nothing installs yet).
    The Rust agent does not say which code it joins with: while a --legacy invite is open, joins without
    a code wait for your approval, and whoever you approve may ask with that agent's weaker signature.
    """
    from enigma_fed.cli import output

    here = current()
    _check_pictures(here, qr, qr_file)
    with here.operations(mutating=True) as node:
        if qr:
            from enigma_fed.cli.qr import check_terminal

            check_terminal(_specimen(node.identity(), scope, ttl, for_did))
        made = node.invite_create(scope, ttl, for_did=for_did, legacy=legacy)
    code = made.code or ""
    if here.json:
        output.data_json(made)
    else:
        output.data(code)
        _tell_created(made)
    _draw(code, qr, qr_file)


def _check_pictures(here: CliContext, qr: bool, qr_file: str | None) -> None:
    from enigma_fed.base.errors import UsageError

    if qr and here.json:
        raise UsageError("--qr draws for people and does not go with --json", hint="Take --qr-file.")
    if qr_file is not None:
        from enigma_fed.cli.qr import check_file

        check_file(Path(qr_file))


def _specimen(node: NodeView, scope: str, ttl: int, for_did: str | None) -> str:
    """A code as long as the real one, so that a terminal too small is found before an invite is made."""
    from enigma_fed.base.ids import Did, OnionAddress
    from enigma_fed.wire.invite import draft
    from enigma_fed.wire.records import TrustLevel

    now = int(time.time())
    made = draft(
        did=Did.parse(node.did),
        onion=OnionAddress.parse(node.onion),
        token=bytes(16),
        scope=TrustLevel(scope),
        issued_at=now,
        expires_at=now + ttl,
        name=node.name,
        for_did=None if for_did is None else Did.parse(for_did),
    )
    return made.seal(bytes(64))


def _draw(code: str, qr: bool, qr_file: str | None) -> None:
    import os

    from enigma_fed.cli import output
    from enigma_fed.cli import qr as pictures

    if qr:
        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        output.as_it_is(pictures.draw(code, colour=colour))
    if qr_file is not None:
        pictures.write_file(code, Path(qr_file))
        output.talk(f"The QR code is in {qr_file}. Whoever has that file can join: delete it after use.")


def _tell_created(made: InviteView) -> None:
    from enigma_fed.cli import output
    from enigma_fed.cli.humane import duration, role, short_did
    from enigma_fed.wire import timestamps

    lifetime = timestamps.from_text(made.expires_at) - timestamps.from_text(made.created_at)
    whom = "one home" if made.for_did is None else f"the home {short_did(made.for_did)}"
    only = "" if made.for_did is None else " No other home can join with it."
    # The Rust agent has a command of its own.
    typed = "" if made.legacy else " They type: enigma-fed invite accept"
    output.talk(
        f"Give this code to {whom}, over a channel that you trust. It works once, for "
        f"{duration(lifetime)}, and makes them {role(made.scope or '')} here.{only}{typed}"
    )
    if made.legacy:
        output.advise(
            "Its join names no code and proves only a key: compare the DID with its owner before you let it "
            "in. See who waits: enigma-fed peer list"
        )
    output.advise(f"To take it back: enigma-fed invite revoke {made.id}")


@invite.command(
    "accept",
    examples=(
        "enigma-fed invite accept",
        "enigma-fed invite accept --file code.txt --trust trusted",
        "wl-paste | enigma-fed invite accept -",
    ),
)
@click.argument("code", required=False)
@click.option("--file", metavar="FILE", help="Read the code from this file.")
@click.option("--trust", type=TRUST, default="observer", show_default=True, help="What they will be here.")
@click.option("--allow-unsigned", is_flag=True, help="Take a code without a signature (an old agent's).")
@click.option("--yes", is_flag=True, help="Do not ask.")
def accept(code: str | None, file: str | None, trust: str, allow_unsigned: bool, yes: bool) -> None:
    """Accept an invite CODE of another home.

    Without CODE it is asked for; "-" reads it from standard input. The agent tells the other home, and
    tries again for as long as the code is valid and a day more.
    """
    from enigma_fed.cli import codes, output
    from enigma_fed.cli.failures import Declined

    here = current()
    text = codes.read_code(code, file)
    shown = codes.preview(text)
    output.advise(_introduction(shown, trust, _member(here, shown.did)))
    if output.interactive() and not yes and not output.confirm("Join them?"):
        raise Declined("you said no")
    with here.operations(mutating=True) as node:
        accepted = node.invite_accept(text, trust, allow_unsigned)
        running = node.lasting
    if here.json:
        output.data_json(accepted)
    else:
        _tell_accepted(accepted, trust, running)


def _member(here: CliContext, did: str) -> PeerView | None:
    """The home, when it is a member here already: then it keeps its trust."""
    with here.operations(mutating=False) as node:
        known = [peer for peer in node.peer_list() if peer.did == did]
    return next((peer for peer in known if peer.joined_as != "inviter" or peer.stage != _WAITING), None)


def _introduction(shown: InvitePreview, trust: str, member: PeerView | None) -> str:
    from enigma_fed.cli.humane import at, printable, role

    signed = "" if shown.signed else "\n  Not signed: anybody may have made or changed this code."
    ends = at(shown.expires_at, time.time()) if shown.expires_at else "it does not say"
    gets = f"  They get:    to be {role(trust)} here"
    if member is not None:
        gets = f"  They keep:   {member.trust_level} here (change it: {_trust_command(member.did)})"
    return (
        f"This invite is from\n  Name:        {printable(shown.name or '(none)')}\n"
        f"  Fingerprint: {shown.fingerprint}\n  Onion:       {shown.onion}\n"
        f"{gets}\n  You get:     to be {role(shown.scope)} there\n  It ends:     {ends}{signed}"
    )


def _trust_command(did: str) -> str:
    from enigma_fed.cli.humane import short_did

    return f"enigma-fed peer trust {short_did(did).rstrip('…')} LEVEL"


def _tell_accepted(accepted: InviteView, trust: str, running: bool) -> None:
    from enigma_fed.cli import output
    from enigma_fed.cli.humane import printable, role
    from enigma_fed.wire.calling import borrowed, told

    who = printable(told(accepted))
    output.data(f"{accepted.id}  {accepted.stage}")
    if borrowed(accepted):
        mind = f"Compare {accepted.did} with its owner on another way."
        output.talk(f"Mind the name of {who}: {borrowed(accepted)}. {mind}")
    kept = accepted.trust_level or trust
    if kept != trust:
        change = _trust_command(accepted.did)
        output.advise(f"{who} was known here and stays {role(kept)}, not {role(trust)}. Change it: {change}")
    if accepted.stage == "confirmed-both":
        output.talk(f"This node and {who} are federated.")
        return
    start = "" if running else "\nStart the agent: enigma-fed run"
    output.advise(
        f"The invite of {who} is recorded here; {who} has not answered yet. The agent tells them as soon as "
        f"it runs and they can be reached, and goes on trying.\n"
        f"See how far it is: enigma-fed invite list{start}"
    )


@invite.command("inspect", examples=("enigma-fed invite inspect --file code.txt",))
@click.argument("code", required=False)
@click.option("--file", metavar="FILE", help="Read the code from this file.")
def inspect(code: str | None, file: str | None) -> None:
    """Show what an invite CODE says, and do nothing with it.

    Without CODE it is asked for; "-" reads it from standard input.
    """
    from enigma_fed.cli import codes, output

    here = current()
    shown = codes.preview(codes.read_code(code, file))
    if here.json:
        output.data_json(shown)
    else:
        _show_preview(shown)


def _show_preview(shown: InvitePreview) -> None:
    from enigma_fed.cli import output
    from enigma_fed.cli.humane import at

    now = time.time()
    output.details(
        [
            ("Name", shown.name or ""),
            ("DID", shown.did),
            ("Fingerprint", shown.fingerprint),
            ("Onion address", shown.onion),
            ("Invite id", shown.id),
            ("You get there", shown.scope),
            ("Only for", shown.for_did or ""),
            ("Made", at(shown.issued_at, now) if shown.issued_at else ""),
            ("Expired" if shown.expired else "Ends", at(shown.expires_at, now) if shown.expires_at else ""),
            ("LAN addresses", ", ".join(shown.lan)),
            ("Signature", "holds" if shown.signed else "none: anybody may have made or changed this code"),
        ]
    )


@invite.command("list", examples=("enigma-fed invite list", "enigma-fed --json invite list"))
def list_invites() -> None:
    """List the invites made here, accepted here, and waiting for your word.

    The codes of the open invites are shown with --json alone.
    """
    from enigma_fed.cli import output
    from enigma_fed.cli.tables import Shape
    from enigma_fed.wire.calling import called

    here = current()
    with here.operations(mutating=False) as node:
        found = node.invite_list()
        peers = [] if here.json else node.peer_list()
    if here.json:
        output.data_json(found)
        return
    names = {peer.did: called(peer) for peer in peers if peer.did}
    columns = ("ID", "DIRECTION", "HOME", "STAGE", "SINCE", "ENDS", "GIVES HERE", "PROBLEM")
    shape = Shape(flow="HOME", note="PROBLEM", spare=("SINCE", "GIVES HERE", "DIRECTION", "ENDS"))
    rows = [_row(entry, names, time.time()) for entry in found]
    output.table(columns, rows, empty="There are no invites yet.", shape=shape)


def _row(entry: InviteView, names: dict[str, str], now: float) -> tuple[str, ...]:
    from enigma_fed.cli.humane import ago, brief
    from enigma_fed.wire.calling import borrowed

    if entry.invalid is not None:
        return ("-", "-", "-", "invalid", "-", "-", "-", "not valid")
    did = (entry.used_by or entry.for_did) if entry.direction == "outgoing" else entry.did
    gives = (entry.scope if entry.direction == "outgoing" else entry.trust_level) or "-"
    ended = entry.direction == "incoming" and entry.stage == "refused"
    return (
        entry.id or "-",
        entry.direction,
        _home(entry, names, did),
        _ENDED.get(entry.ended_by or "", "ended") if ended else _stage(entry),
        ago(entry.stage_at, now, 1),
        ago(entry.expires_at, now),
        gives,
        brief(entry.last_error or borrowed(entry)),
    )


def _home(entry: InviteView, names: dict[str, str], did: str | None) -> str:
    from enigma_fed.cli.humane import short_did
    from enigma_fed.wire.calling import called

    if did is None:
        return "-"
    return names.get(did) or (short_did(did) if entry.direction == "outgoing" else called(entry))


def _stage(entry: InviteView) -> str:
    """The stage; an open legacy invite is marked, since it lets joins without a code wait."""
    return f"{entry.stage}, legacy" if entry.legacy and entry.stage == "created" else entry.stage


@invite.command("revoke", examples=("enigma-fed invite revoke 5f1c02ab",))
@click.argument("invite_id", metavar="ID")
def revoke(invite_id: str) -> None:
    """Take back an invite made here, by its ID from `invite list`.

    A home that has joined with it stays: see `enigma-fed peer remove`.
    """
    from enigma_fed.cli import output

    here = current()
    with here.operations(mutating=True) as node:
        ended = node.invite_revoke(invite_id)
    if here.json:
        output.data_json(ended)
    else:
        output.talk(f"Invite {ended.id} is revoked: nobody can join with it any more.")
