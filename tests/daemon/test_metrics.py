"""Metrics over real HTTP, read by Prometheus' own parsers, and at a thousand peers."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from unittest.mock import MagicMock

import aiohttp
import pytest
import pytest_asyncio
from prometheus_client import REGISTRY, Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_prometheus

from enigma_fed.base import limits
from enigma_fed.base.histogram import Histogram
from enigma_fed.base.tasks import Tasks
from enigma_fed.config import AdminSettings, Settings
from enigma_fed.daemon.app import Agent
from enigma_fed.daemon.diskroom import DiskRoom
from enigma_fed.daemon.looplag import LoopLag
from enigma_fed.daemon.metrics import Metrics
from enigma_fed.daemon.metricslist import FAMILIES
from enigma_fed.daemon.metricsscene import Crowd, PeerFacts, look_at_peers, look_at_processes
from enigma_fed.daemon.metricstext import Form, render
from enigma_fed.daemon.metricsvalues import Family, Found, Kind, Spread, by_word, the_one
from enigma_fed.daemon.operations import RemoteOperations
from enigma_fed.daemon.paths import Paths
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.wire.adminviews import ReadinessView
from enigma_fed.wire.records import Membership, Node, NodesFile, Observation
from tests.support.members import member
from tests.support.memberships import commit
from tests.support.prerequisites import missing

OPENMETRICS = "application/openmetrics-text; version=1.0.0,text/plain;version=0.0.4;q=0.5"


@pytest_asyncio.fixture
async def agent(paths: Paths, settings: Settings) -> AsyncIterator[Agent]:
    asked = dataclasses.replace(settings, admin=AdminSettings(listen="127.0.0.1:0"))
    made = Agent(asked, paths, keep_log=False)
    await made.start()
    yield made
    await made.close()


async def scrape(paths: Paths, accept: str) -> tuple[str, str]:
    """Content type and text."""
    status = await asyncio.to_thread(RemoteOperations(paths.control_socket).status)
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://{status.admin}/metrics", headers={"Accept": accept}) as response,
    ):
        assert response.status == 200
        return response.headers["Content-Type"], await response.text()


def parsed(kind: str, text: str) -> dict[str, Metric]:
    read = parse_openmetrics if kind.startswith("application/openmetrics-text") else parse_prometheus
    return {metric.name: metric for metric in read(text)}


@pytest.mark.parametrize("accept", ["*/*", OPENMETRICS])
async def test_prometheus_reads_every_metric_with_its_help_and_kind(
    agent: Agent, paths: Paths, accept: str
) -> None:
    kind, text = await scrape(paths, accept)
    assert kind == Form.wanted(accept).value
    found = parsed(kind, text)
    for family in FAMILIES:
        metric = found[family.full_name.removesuffix("_total")]
        assert (metric.documentation, metric.type) == (family.help, family.kind.value)
        assert all(set(sample.labels) - {"le"} == set(family.labels) for sample in metric.samples)
    assert len(found) == len(FAMILIES)
    [ready] = found["enigma_fed_ready"].samples
    assert ready.value == 0
    assert {s.labels["reason"] for s in found["enigma_fed_unready_reason"].samples} == {"tor-off"}


async def test_prometheus_own_checker_has_nothing_to_say(agent: Agent, paths: Paths) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        missing("promtool; it is in the Debian package prometheus")
    _, text = await scrape(paths, "")
    done = await asyncio.to_thread(
        subprocess.run, [promtool, "check", "metrics"], input=text.encode(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_metric_has_a_name_that_ends_with_its_unit_and_a_help_of_one_sentence() -> None:
    assert len({family.full_name for family in FAMILIES}) == len(FAMILIES)
    for family in FAMILIES:
        assert re.fullmatch(r"[a-z][a-z_]*", family.name), family.name
        assert family.help.endswith("."), family.name
        assert not family.name.endswith("total")
        if family.unit:
            assert family.unit in {"seconds", "bytes", "ratio"}
            assert family.name.endswith(f"_{family.unit}"), family.name
        else:
            assert not re.search(r"_(seconds|bytes|ratio)$", family.name), family.name


async def test_counters_only_rise_and_what_happened_is_in_them(agent: Agent, paths: Paths) -> None:
    agent.node._endpoint.statistics["ok"] += 3
    agent.node._endpoint.statistics["evicted"] += 2
    agent.node._caller.polls["unreachable"] += 1
    agent.node._caller.poll_durations.note(0.2)
    agent.node._traffic.statistics["sent"] += 17
    _, text = await scrape(paths, "")
    for line in (
        'enigma_fed_rpc_replies_total{reply="ok"} 3.0',
        "enigma_fed_connections_evicted_total 2.0",
        'enigma_fed_polls_total{outcome="unreachable"} 1.0',
        'enigma_fed_poll_duration_seconds_bucket{le="0.1"} 0.0',
        'enigma_fed_poll_duration_seconds_bucket{le="0.25"} 1.0',
        "enigma_fed_poll_duration_seconds_count 1.0",
        'enigma_fed_traffic_bytes_total{direction="sent"} 17.0',
    ):
        assert f"\n{line}\n" in text
    assert 'reply="evicted"' not in text


async def test_streams_and_the_history_are_told_both_ways(
    agent: Agent, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher, history, outbound = MagicMock(), MagicMock(), MagicMock()
    publisher.__len__.return_value = 2
    publisher.statistics = Counter({"opened": 5, "frames": 9, "bytes": 99, "conflated": 1, "ended-cut": 3})
    history.counts = Counter({"flushes": 4, "slots": 40, "failed": 1})
    outbound.open = 3
    outbound.counts = Counter({"opened": 6, "resumed": 1, "full": 5, "frames": 8})
    outbound.ends, outbound.not_opened = Counter({"silent": 2}), Counter({"not-offered": 1})
    parts = dataclasses.replace(agent.node._parts(), publisher=publisher, history=history)
    monkeypatch.setattr(type(agent.node.federation), "streams", outbound)
    metrics = Metrics(parts, DiskRoom(parts.data_dir, parts.tasks), is_ready, Counter())
    text = (await metrics.text(Form.PROMETHEUS)).decode()
    for line in (
        'streams{direction="in"} 2.0',
        'streams{direction="out"} 3.0',
        'streams_opened_total{direction="in"} 5.0',
        'streams_opened_total{direction="out"} 6.0',
        'streams_began_total{how="resumed"} 1.0',
        'streams_ended_total{direction="in",reason="cut"} 3.0',
        'streams_ended_total{direction="out",reason="silent"} 2.0',
        'streams_not_opened_total{reason="not-offered"} 1.0',
        'stream_frames_total{direction="out"} 8.0',
        "stream_sent_bytes_total 99.0",
        "stream_conflated_total 1.0",
        "history_flushes_total 4.0",
        "history_slots_total 40.0",
        "history_flush_failures_total 1.0",
    ):
        assert f"\nenigma_fed_{line}\n" in text, line


async def is_ready() -> ReadinessView:
    return ReadinessView(ready=True, reasons=[])


def test_nothing_of_ours_is_in_the_librarys_own_registry() -> None:
    assert not [metric.name for metric in REGISTRY.collect() if metric.name.startswith("enigma_fed")]


def test_the_library_is_loaded_at_the_first_scrape_and_not_before() -> None:
    """It costs 0.5 MB: who never looks does without."""
    code = "import sys, enigma_fed.daemon.app; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0


# Many peers


def many(count: int) -> tuple[Node, ...]:
    keys = (NodeKey(number.to_bytes(32, "big")) for number in range(1, count + 1))
    return tuple(member(1, did=key.did) for key in keys)


async def test_invariant_7_only_the_first_peers_have_metrics_of_their_own_and_all_count(
    agent: Agent, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "METRICS_PEERS", 3)
    nodes = many(5)
    await commit(agent.node.federation.store, Membership(NodesFile(nodes=nodes[:3])))
    assert "enigma_fed_peers_unlisted 0.0" in (await scrape(paths, ""))[1]
    await commit(agent.node.federation.store, Membership(NodesFile(nodes=nodes)))
    monkeypatch.setattr(limits, "METRICS_FRESH", 0.0)
    found = parsed(*await scrape(paths, ""))
    own = [sample.labels["peer"] for sample in found["enigma_fed_peer_liveness"].samples]
    assert own == [node.did.short for node in nodes[:3]]
    assert found["enigma_fed_peers_unlisted"].samples[0].value == 2
    assert sum(sample.value for sample in found["enigma_fed_peers"].samples) == 5
    assert sum(sample.value for sample in found["enigma_fed_peers_by_trust"].samples) == 5


def facts(label: str) -> PeerFacts:
    return PeerFacts(label, "up", None, None, None, 0, None, None, None, None)


def test_invariant_7_two_peers_of_one_shortened_did_break_no_scrape() -> None:
    """It has ten characters: whoever tries long enough gets one like another's."""
    crowd = Crowd()
    for label in ("z6MkA…1", "z6MkA…1", "z6MkB…2"):
        crowd.add(facts(label), member(1))
    assert list(crowd.named) == ["z6MkA…1", "z6MkB…2"]
    assert crowd.others == 1
    assert crowd.liveness["up"] == 3


async def test_invariant_7_a_thousand_peers_are_looked_at_a_few_at_a_time(agent: Agent) -> None:
    await commit(agent.node.federation.store, Membership(NodesFile(nodes=many(1000))))
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    crowd = await look_at_peers(agent.node._parts())
    counting.cancel()
    assert crowd.liveness.total() == 1000
    assert turns >= 1000 // 20, "each turn of the loop looks at twenty"


async def test_invariant_8_of_a_peer_only_the_shortened_did_is_told(agent: Agent, paths: Paths) -> None:
    [node] = many(1)
    named = Node(**{field: getattr(node, field) for field in node.__struct_fields__} | {"name": "grandma"})
    await commit(agent.node.federation.store, Membership(NodesFile(nodes=(named,))))
    agent.node.federation.store.observe(
        Observation(did=node.did, last_seen=1, latency_ms=250.0, skew_s=-3, failures=2, last_error="grandma")
    )
    _, text = await scrape(paths, "")
    label = node.did.short
    assert f'enigma_fed_peer_latency_seconds{{peer="{label}"}} 0.25' in text
    assert f'enigma_fed_peer_clock_skew_seconds{{peer="{label}"}} -3.0' in text
    assert f'enigma_fed_peer_poll_failures{{peer="{label}"}} 2.0' in text
    assert "enigma_fed_peers_failing 1.0" in text
    assert 'enigma_fed_invites_open{kind="made"} 0.0' in text
    assert "enigma_fed_peers_removed 0.0" in text
    assert "grandma" not in text
    assert str(node.did)[8:] not in text


# One reading for all


async def test_invariant_7_who_asks_again_at_once_gets_the_same_reading(
    agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = agent.node._parts()
    now = 1000.0
    monkeypatch.setattr(parts.clock, "boot", lambda: now)
    asked: list[float] = []

    async def readiness() -> ReadinessView:
        asked.append(now)
        return ReadinessView(ready=True, reasons=[])

    metrics = Metrics(parts, DiskRoom(parts.data_dir, parts.tasks), readiness, Counter())
    first, second = await asyncio.gather(*(metrics.text(Form.PROMETHEUS) for _ in range(2)))
    assert first == second
    now += limits.METRICS_FRESH / 2
    assert await metrics.text(Form.PROMETHEUS) == first
    assert len(asked) == 1
    now += limits.METRICS_FRESH / 2
    await metrics.text(Form.PROMETHEUS)
    assert len(asked) == 2


# The small parts


class FirstLook(Histogram):
    """Tells when something was noted."""

    def __init__(self) -> None:
        super().__init__((1.0,))
        self.noted = asyncio.Event()

    def note(self, seconds: float) -> None:
        super().note(seconds)
        self.noted.set()


def block(seconds: float) -> None:
    time.sleep(seconds)


async def test_a_block_of_the_loop_is_seen_as_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LOOP_LOOK", 0.01)
    lag, tasks = LoopLag(), Tasks()
    lag.durations = seen = FirstLook()
    tasks.start("lag", lag.watch())
    await asyncio.sleep(0)
    block(0.06)
    async with asyncio.timeout(20):
        await seen.noted.wait()
    await tasks.close()
    assert seen.total >= 0.04


def test_a_process_that_is_gone_is_left_out() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    [agent] = look_at_processes(gone.pid)
    assert agent.name == "agent"
    assert agent.resident_bytes > 2**20
    both = look_at_processes(1)
    assert [found.name for found in both][:1] == ["agent"]


def test_a_histogram_is_told_by_rising_counts() -> None:
    family = Family("x_seconds", Kind.HISTOGRAM, "X.", lambda scene: (), unit="seconds")
    text = render([Found(family, (((), Spread((0.1, 1.0), (2, 1, 3), 9.5)),))], Form.OPENMETRICS).decode()
    assert text.splitlines()[3:] == [
        'enigma_fed_x_seconds_bucket{le="0.1"} 2.0',
        'enigma_fed_x_seconds_bucket{le="1.0"} 3.0',
        'enigma_fed_x_seconds_bucket{le="+Inf"} 6.0',
        "enigma_fed_x_seconds_count 6.0",
        "enigma_fed_x_seconds_sum 9.5",
        "# EOF",
    ]


def test_words_have_an_order_and_each_of_a_few_is_always_there() -> None:
    assert by_word({"b": 1, "a": 2}) == [(("a",), 2.0), (("b",), 1.0)]
    assert the_one("b", ("a", "b")) == [(("a",), 0.0), (("b",), 1.0)]
