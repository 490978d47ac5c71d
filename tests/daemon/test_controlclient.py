"""The end of the control socket that commands hold, against an agent that misbehaves."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import OperationFailed
from enigma_fed.daemon import calls
from enigma_fed.daemon.controlclient import answers, call_agent
from enigma_fed.daemon.controlwire import encode_result
from enigma_fed.transports.unixsocket import bind_private
from enigma_fed.wire.views import PingView

PING = PingView(did="d", name="n", latency_ms=1.0)
REF = calls.PeerRef(ref="n")


class FalseAgent:
    """Answers every connection with fixed pieces, then closes."""

    def __init__(self, path: Path) -> None:
        self.pieces: list[bytes] = []
        self.heard = b""
        self._socket = bind_private(path)
        self._socket.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self.heard += (heard := connection.recv(65536))
                if heard:
                    for piece in self.pieces:
                        connection.sendall(piece)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def path(runtime_dir: Path) -> Path:
    return runtime_dir / "agent.sock"


@pytest.fixture
def agent(path: Path) -> Iterator[FalseAgent]:
    found = FalseAgent(path)
    yield found
    found.close()


def test_an_answer_in_pieces_is_put_together(path: Path, agent: FalseAgent) -> None:
    line = encode_result(1, PING)
    agent.pieces = [line[:5], line[5:]]
    assert call_agent(path, calls.PEER_PING, REF, 5.0) == PING
    assert answers(path)


@pytest.mark.parametrize(
    "pieces", [[], [b'{"jsonrpc"'], [b"not json\n"], [b"{}\n"], [b"[]\n"], [b'{"error":1}\n']]
)
def test_a_broken_answer_is_an_error(path: Path, agent: FalseAgent, pieces: list[bytes]) -> None:
    agent.pieces = pieces
    with pytest.raises(OperationFailed):
        call_agent(path, calls.PEER_PING, REF, 5.0)


def test_an_endless_answer_is_cut(path: Path, agent: FalseAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CONTROL_REPLY_BYTES", 10)
    agent.pieces = [b"x" * 100]
    with pytest.raises(OperationFailed, match="too large"):
        call_agent(path, calls.PEER_PING, REF, 5.0)


def test_a_command_that_is_too_large_is_not_sent(path: Path) -> None:
    with pytest.raises(OperationFailed, match="too large"):
        call_agent(path, calls.PEER_PING, calls.PeerRef(ref="x" * limits.CONTROL_LINE_BYTES))


@pytest.mark.parametrize("user", [0, 1000])
def test_invariant_10_a_command_never_speaks_to_another_users_socket(
    path: Path, agent: FalseAgent, monkeypatch: pytest.MonkeyPatch, user: int
) -> None:
    agent.pieces = [encode_result(1, PING)]
    monkeypatch.setattr("enigma_fed.daemon.controlclient.os.geteuid", lambda: user)
    monkeypatch.setattr("enigma_fed.daemon.controlclient.peer_uid", lambda connection: 65534)
    with pytest.raises(OperationFailed, match="belongs to another user"):
        call_agent(path, calls.PEER_PING, REF)
    assert not answers(path)
    assert agent.heard == b""
