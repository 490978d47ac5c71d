"""What programs of this machine send: tor, the SOCKS library, the agent and commands, the owner's files."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final

from enigma_fed import config
from enigma_fed.base import limits
from enigma_fed.base.errors import ConfigError, EnigmaError, OperationFailed, WireError
from enigma_fed.base.rpc_errors import InvalidParams, MethodNotFound, TokenUsed
from enigma_fed.daemon import calls, controlwire
from enigma_fed.transports.tor import bootstrap, controlwords, endpoint, proxyline, socks_errors, versions
from enigma_fed.wire import sdnotify, unitstate
from enigma_fed.wire.views import PingView
from tests.fuzz.target import Form, Target, attempt, header_text, to_bytes

_PING: Final = PingView(did="d", name="n", latency_ms=1.5)


def proxy_line(data: bytes) -> bool:
    """A line that is accepted names a circuit."""
    circuit = attempt(lambda: proxyline.parse_proxy_line(data), WireError)
    if not isinstance(circuit, int):
        return False
    assert 0 <= circuit < 2**32
    return True


def socks_error(data: bytes) -> bool:
    """An error's text becomes words of ours and is never repeated: it may hold an address (invariant 8)."""
    error = OSError(header_text(data))
    code = socks_errors.reply_code(error)
    words = socks_errors.explain(error)
    assert words.isascii()
    assert len(words) <= limits.ERROR_CHARACTERS
    assert code is None or 0 <= code <= 0xFF
    return code is not None


def bootstrap_line(data: bytes) -> bool:
    """Any line of tor's is a report within bounds or none."""
    text = header_text(data)
    report = bootstrap.parse_bootstrap(text)
    bootstrap.parse_trouble(text)
    bootstrap.connection_trouble(text, bootstrapped=False)
    assert report is None or 0 <= report.percent <= 100
    return report is not None


def tor_endpoint(data: bytes) -> bool:
    """Where tor is looked for is this machine, whatever tor or the owner says (invariant 9)."""
    text = header_text(data)
    found = attempt(lambda: endpoint.Endpoint.parse(text), ConfigError)
    named = endpoint.usable_listeners(text)
    for each in [*named, *([found] if isinstance(found, endpoint.Endpoint) else [])]:
        assert each.path.startswith("/") if each.is_unix else 0 < each.port < 65536
        assert each.is_unix or ipaddress.ip_address(each.host).is_loopback
        assert endpoint.Endpoint.parse(str(each)) == each
    return isinstance(found, endpoint.Endpoint)


def tor_answers(data: bytes) -> bool:
    """tor's other words: its version, and the onions that it serves."""
    text = header_text(data)
    assert versions.numbers(text) == () or not (versions.too_old(text) and versions.drawback(text))
    assert all(controlwords.service_ids(text))
    return versions.numbers(text) != ()


def unit_state(data: bytes) -> bool:
    """Whatever systemctl prints is a state or an error."""
    text = header_text(data)
    sdnotify.address(text)
    assert len(sdnotify.status("".join(character for character in text if character.isprintable()))) < 1024
    state = attempt(lambda: unitstate.decode(text, "enigma-fed.service", "system"), WireError)
    return isinstance(state, unitstate.UnitState)


def control_request(data: bytes) -> bool:
    """A request that is read is written as the same."""
    request = attempt(lambda: controlwire.decode_request(data), WireError, MethodNotFound, InvalidParams)
    if not isinstance(request, controlwire.Request):
        return False
    again = controlwire.decode_request(controlwire.encode_request(request.id, request.call, request.params))
    assert again == request
    return True


def control_response(data: bytes) -> bool:
    """Any answer is a result or an error of the tree: nothing else reaches a command."""
    return isinstance(
        attempt(lambda: controlwire.decode_response(data, calls.PEER_PING, 1), EnigmaError), PingView
    )


def config_file(data: bytes) -> bool:
    """Any file is settings or an error that names what is wrong."""
    return isinstance(attempt(lambda: config.from_toml(data, "FILE"), ConfigError), dict)


def _proxy_lines() -> Iterable[bytes]:
    yield b"PROXY TCP6 fc00:dead:beef:4dad::0:18 ::1 24 80"
    yield b"PROXY TCP6 fc00:dead:beef:4dad::ffff:ffff ::1 65535 80"
    yield from (b"PROXY TCP6 ::1 ::1 24 80", b"PROXY TCP4 127.0.0.1 ::1 24 80", b"GET / HTTP/1.1", b"")


def _socks_texts() -> Iterable[bytes]:
    return map(
        to_bytes, ("Invalid reply code: 0XF4", "TTL expired", "Invalid reply code: 0XZZ", "abc.onion:80")
    )


def _bootstrap_lines() -> Iterable[bytes]:
    yield b'NOTICE BOOTSTRAP PROGRESS=100 TAG=done SUMMARY="Done"'
    yield b'WARN BOOTSTRAP PROGRESS=10 TAG=conn SUMMARY="a \\"b\\"" WARNING="x" REASON=NOROUTE COUNT=1'
    yield b"STATUS_GENERAL WARN CLOCK_SKEW SKEW=-3600 SOURCE=DIRSERV"
    yield b"STATUS_CLIENT NOTICE CIRCUIT_ESTABLISHED"
    yield b"NOTICE BOOTSTRAP PROGRESS=-1"


def _endpoints() -> Iterable[bytes]:
    texts = (
        "unix:/run/tor/control",
        "127.0.0.1:9051",
        "[::1]:9051",
        "0.0.0.0:9050",
        "192.0.2.1:9051",
        "unix:x",
    )
    yield from map(
        to_bytes, (*texts, '"unix:/run/a b/socks" "127.0.0.1:9050"', "127.0.0.1:0", "[127.0.0.1]:1")
    )


def _answers() -> Iterable[bytes]:
    yield from (
        b"0.4.9.11",
        b"0.4.8.1-alpha-dev (git-x)",
        b"0.4.6.10",
        b"9" * 5000 + b".1",
        b"tor",
        b"abc def\n",
    )


def _units() -> Iterable[bytes]:
    yield b"LoadState=loaded\nActiveState=active\nActiveEnterTimestamp=@1795164540\nMainPID=7\nStatusText=x\n"
    yield b"LoadState=loaded\nActiveState=active\nActiveEnterTimestamp=@999999999999999\nNRestarts=x\n"
    yield b"LoadState=not-found\n"


def _requests() -> Iterable[bytes]:
    yield controlwire.encode_request(7, calls.STATUS, calls.NoParams())
    yield controlwire.encode_request(8, calls.PEER_RENAME, calls.PeerRename(ref="attic", name=None))
    yield b'{"jsonrpc":"2.0","id":1,"method":"invite_accept","params":{"code":5}}'
    yield b'{"jsonrpc":"2.0","id":1,"method":"__class__"}'


def _responses() -> Iterable[bytes]:
    yield controlwire.encode_result(1, _PING)
    yield controlwire.encode_error(1, TokenUsed("by another", hint="x"))
    yield controlwire.encode_error(None, OperationFailed())
    yield b'{"jsonrpc":"2.0","id":1,"error":{"data":{"classes":[[]]}}}'


def _configs() -> Iterable[bytes]:
    yield b'[node]\nname = "attic"\n[tor]\nmode = "off"\n[federation]\npoll_interval = 60\n'
    yield b'tor.mode = "off"\n'
    yield b'[rpc]\nlisten = "[::1]:8787"\n[log]\nlevel = "loud"\n'
    yield from (b"a = " + b"[" * 100, b"x = 1979-05-27T07:32:00Z", b"x = inf", b"\xff", b"")


TARGETS: Final = (
    Target("proxy-line", proxy_line, _proxy_lines, longest=128),
    Target("socks-error", socks_error, _socks_texts, longest=128),
    Target("tor-bootstrap", bootstrap_line, _bootstrap_lines, longest=512),
    Target("tor-endpoint", tor_endpoint, _endpoints, longest=512),
    Target("tor-answers", tor_answers, _answers, longest=5200),
    Target("unit-state", unit_state, _units, longest=512),
    Target("control-request", control_request, _requests, Form.JSON),
    Target("control-response", control_response, _responses, Form.JSON),
    Target("config", config_file, _configs, longest=512),
)
