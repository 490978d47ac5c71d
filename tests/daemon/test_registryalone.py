"""A registry as a process of its own: it answers, follows its files, and stops in order."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import aiohttp
import msgspec
import pytest

from enigma_fed.base import registry_limits
from enigma_fed.base.errors import ConfigError, PortInUse
from enigma_fed.base.registry_errors import RegistryRunning
from enigma_fed.daemon import registryalone
from enigma_fed.daemon.notify import Notifier
from enigma_fed.daemon.registryalone import AloneRegistry, waits_for_restart
from enigma_fed.daemon.registryenvelope import rotate
from enigma_fed.registry import configedit
from tests.support.certificates import Certificates
from tests.support.notifysocket import NotifySocket

PUBLISHED = (Path(__file__).parents[1] / "registry" / "published-registry.toml").read_text(encoding="utf-8")
DAY = 86_400_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "registry.toml"
    path.write_text(configedit.fresh(os.urandom).replace(":8443", ":0"), encoding="utf-8")
    path.chmod(0o600)
    return path


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


@asynccontextmanager
async def running(path: Path) -> AsyncIterator[AloneRegistry]:
    alone = AloneRegistry(path, registryalone.read(path))
    try:
        await alone.start(lambda: None)
        yield alone
    finally:
        await alone.close()


async def kids(url: str, tls: ssl.SSLContext | bool = True) -> list[str]:
    """Names of the envelope keys that the registry tells."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{url}/envelope_pubkeys", ssl=tls, timeout=aiohttp.ClientTimeout(30)) as reply,
    ):
        assert reply.status == 200
        return [key["kid_hex"] for key in await reply.json()]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what a file of the product's watches tells nobody else
            await asyncio.sleep(0.01)


def with_tls(path: Path, certificates: Certificates) -> None:
    files = certificates.issue()
    table = f'[tls]\ncert_pem_path = "{files.certificate}"\nkey_pem_path = "{files.key}"\n'
    path.write_text(path.read_text(encoding="utf-8") + table, encoding="utf-8")


async def test_the_published_example_starts_once_secrets_and_certificate_are_replaced(
    tmp_path: Path, certificates: Certificates
) -> None:
    text, _ = configedit.with_fresh_secrets(PUBLISHED, os.urandom)
    files = certificates.issue("RSA")
    text = text.replace("/etc/enigma/registry.cert", str(files.certificate))
    text = text.replace("/etc/enigma/registry.key", str(files.key)).replace("0.0.0.0:8443", "0.0.0.0:0")
    (tmp_path / "registry.toml").write_text(text, encoding="utf-8")
    async with running(tmp_path / "registry.toml") as alone:
        assert len(await kids(alone.url.replace("0.0.0.0", "127.0.0.1"), certificates.trusting())) == 1
    assert sorted(path.name for path in (tmp_path / "registry_db").iterdir())[:2] == ["index.key", "lock"]


async def test_invariant_5_who_the_registry_is_outlives_a_restart(file: Path) -> None:
    async with running(file) as first:
        did = first.did
    async with running(file) as again:
        assert again.did == did
    file.write_text(file.read_text(encoding="utf-8").replace('"sqlite"', '"memory"'), encoding="utf-8")
    async with running(file) as in_memory:
        assert in_memory.did != did


async def test_a_rotated_key_and_new_limits_are_taken_over_without_a_restart(file: Path) -> None:
    async with running(file) as alone:
        [old] = await kids(alone.url)
        kid = rotate(file, os.urandom, 4_000_000_000_000, DAY)
        assert await alone.reload() == ""
        assert await kids(alone.url) == [kid, old]


async def test_a_changed_file_is_noticed_without_a_signal(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry_limits, "REGISTRY_FILES_INTERVAL", 0.02)
    told = 0

    def changed() -> None:
        nonlocal told
        told += 1

    alone = AloneRegistry(file, registryalone.read(file))
    try:
        await alone.start(changed)
        rotate(file, os.urandom, 4_000_000_000_000, DAY)
        await until(lambda: told == 1)
    finally:
        await alone.close()


async def test_an_error_in_a_changed_file_changes_nothing_and_is_told(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(file) as alone:
        before = await kids(alone.url)
        whole = file.read_text(encoding="utf-8")
        file.write_text(whole + "\ncolour = 1\n", encoding="utf-8")
        assert "refused" in await alone.reload()
        assert "colour" in caplog.text
        assert await kids(alone.url) == before


async def test_a_new_certificate_serves_and_a_broken_one_leaves_the_one_before(
    file: Path, certificates: Certificates, caplog: pytest.LogCaptureFixture
) -> None:
    with_tls(file, certificates)
    async with running(file) as alone:
        assert alone.url.startswith("https://")
        whole = certificates.issue().certificate.read_bytes()
        assert await alone.reload() == ""
        await kids(alone.url, certificates.trusting())
        (certificates.folder / "server.pem").write_bytes(whole[:200])
        assert "server.pem" in await alone.reload()
        assert "all stays as it was" in caplog.text
        await kids(alone.url, certificates.trusting())


async def test_weakness_05_a_client_certificate_is_a_peers_credential_for_sync(
    file: Path, certificates: Certificates
) -> None:
    with_tls(file, certificates)
    text = file.read_text(encoding="utf-8")
    file.write_text(f"allow_sync = true\n{text}", encoding="utf-8")
    peer, no_peer = certificates.trusting(), certificates.trusting()
    certificates.client_ca.issue_cert("peer@example.com").configure_cert(peer)

    async def sync(url: str, tls: ssl.SSLContext) -> int:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{url}/sync", json={"identities": []}, ssl=tls) as reply,
        ):
            return reply.status

    async with running(file) as alone:
        assert await sync(alone.url, peer) == 401, "nobody verified it"
    named = f'[tls]\nclient_ca_pem_path = "{certificates.client_ca_file()}"'
    file.write_text(f"allow_sync = true\n{text}".replace("\n[tls]", f"\n{named}"), encoding="utf-8")
    async with running(file) as alone:
        assert await sync(alone.url, peer) == 200
        with pytest.raises(aiohttp.ClientError):
            await sync(alone.url, no_peer)


async def test_what_waits_for_a_restart_is_named(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running(file) as alone:
        text = file.read_text(encoding="utf-8").replace("127.0.0.1:0", "127.0.0.2:0")
        file.write_text(text.replace("registry_db", "other_db"), encoding="utf-8")
        assert await alone.reload() == ""
        assert "waiting for a restart: address, storage" in caplog.text
        assert await kids(alone.url)
    settings = registryalone.read(file).settings
    assert waits_for_restart(settings, settings) == ()
    assert waits_for_restart(settings, msgspec.structs.replace(settings, mode="tls")) == ("mode",)


async def test_a_second_server_on_the_folder_is_refused(file: Path) -> None:
    async with running(file):
        with pytest.raises(RegistryRunning) as caught:
            async with running(file):
                pass
        assert caught.value.exit_code == 6
    async with running(file):
        pass


async def test_a_port_in_use_is_told_with_the_key_that_names_it(file: Path, tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace("127.0.0.1:0", f"127.0.0.1:{port}"), encoding="utf-8")
        with pytest.raises(PortInUse, match=f"127.0.0.1:{port}") as caught:
            async with running(file):
                pass
        assert "set address to another port" in caught.value.hint
        file.write_text(text, encoding="utf-8")
    async with running(file):
        pass


async def test_a_certificate_that_cannot_be_used_is_an_error_at_the_start(
    file: Path, certificates: Certificates
) -> None:
    with_tls(file, certificates)
    (certificates.folder / "server.key").unlink()
    with pytest.raises(ConfigError, match=r"server\.key"):
        async with running(file):
            pass


async def test_an_address_that_is_empty_leads_nowhere(file: Path) -> None:
    file.write_text(file.read_text(encoding="utf-8").replace('"127.0.0.1:0"', '""'), encoding="utf-8")
    with pytest.raises(ConfigError, match="empty"):
        async with running(file):
            pass


async def test_an_owner_is_warned_at_the_start(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    file.chmod(0o644)
    text = file.read_text(encoding="utf-8").replace("127.0.0.1:0", "0.0.0.0:0")
    file.write_text(f'mode = "http"\n{text}', encoding="utf-8")
    async with running(file):
        assert "others can read it" in caplog.text
        assert "NOT ENCRYPTED" in caplog.text


async def test_systemd_hears_of_each_step(file: Path, runtime_dir: Path) -> None:
    with NotifySocket(runtime_dir / "notify") as systemd:

        async def serving() -> None:
            with closing(Notifier(systemd.name, None)) as notifier:
                alone = AloneRegistry(file, registryalone.read(file))
                await registryalone.serve(alone, notifier, lambda url, did: None)

        task = asyncio.create_task(serving())
        ready = await systemd.soon()
        assert ready["READY"] == "1"
        assert ready["STATUS"].startswith("the registry answers at http://127.0.0.1:")
        os.kill(os.getpid(), signal.SIGHUP)
        assert (await systemd.soon())["RELOADING"] == "1"
        assert (await systemd.soon())["READY"] == "1"
        file.write_text("colour = 1\n", encoding="utf-8")
        os.kill(os.getpid(), signal.SIGHUP)
        assert (await systemd.soon())["RELOADING"] == "1"
        assert "refused" in (await systemd.soon())["STATUS"]
        os.kill(os.getpid(), signal.SIGTERM)
        assert (await systemd.soon())["STOPPING"] == "1"
        async with asyncio.timeout(60):
            await task


async def start_process(*words: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "enigma_fed", "registry", "serve", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_a_process_says_where_it_answers_and_stops_in_order(
    file: Path, certificates: Certificates
) -> None:
    with_tls(file, certificates)
    process = await start_process("--config", str(file), "--json", "--log-format", "json")
    assert process.stdout is not None
    async with asyncio.timeout(60):
        up = msgspec.json.decode(await process.stdout.readline())
        assert await kids(up["url"], certificates.trusting())
        assert up["did"].startswith("did:key:z6Mk")
        process.terminate()
        _, told = await process.communicate()
    assert process.returncode == 0
    assert all(msgspec.json.decode(line)["level"] == "info" for line in told.splitlines())
