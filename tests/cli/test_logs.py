"""`enigma-fed logs`."""

from __future__ import annotations

import logging
import subprocess
from pathlib import Path

import pytest

from enigma_fed.base.log import JsonFormatter
from enigma_fed.cli.loglines import LogLine, followed, parse, tail
from enigma_fed.daemon import operations
from enigma_fed.daemon.systemctl import Systemd
from tests.cli.fakes import invoke
from tests.cli.homes import make_home


def test_logs_shows_the_last_lines(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "agent.log").write_text("one\ntwo\nthree\x1b[2J\n")
    words = ["logs", "--data-dir", str(tmp_path), "--lines", "2"]
    assert invoke(*words).out == "two\nthree?[2J\n"
    assert [line["message"] for line in invoke(*words, "--json").json] == ["two", "three\x1b[2J"]


def test_logs_without_a_log_says_who_writes_it(tmp_path: Path) -> None:
    shown = invoke("logs", "--data-dir", str(tmp_path))
    assert (shown.exit_code, shown.out) == (0, "")
    assert f"enigma-fed --data-dir {tmp_path} run" in shown.err
    assert "service logs" not in shown.err


def test_logs_without_a_folder_named_tells_of_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    for name in ("ENIGMA_FED_DATA_DIR", "STATE_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    assert "enigma-fed service logs" in invoke("logs").err


def test_logs_of_the_service_are_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(operations, "is_of_the_service", lambda paths: True)
    monkeypatch.setattr(Systemd, "require", lambda systemd: None)

    def call(words: tuple[str, ...]) -> int:
        asked.append(words)
        return 3

    monkeypatch.setattr(subprocess, "call", call)
    assert invoke("logs", "--lines", "7", "--json").exit_code == 3
    [words] = asked
    assert {"--unit=enigma-fed.service", "--lines=7", "--output=json"} < set(words)
    for chosen in (["--level", "error"], ["--since", "2h"]):
        refused = invoke("logs", *chosen)
        assert (refused.exit_code, refused.out, len(asked)) == (2, "", 1)
        assert "sudo -u enigma-fed enigma-fed --data-dir /var/lib/enigma-fed logs" in refused.err


def test_a_choice_that_leaves_no_line_says_so(kept: Path) -> None:
    said = "No line of the log is of that time and importance."
    for words in (["--level", "error"], ["--since", "2030-01-01T00:00:00Z"]):
        shown = invoke("logs", "--data-dir", str(kept), *words)
        assert (shown.exit_code, shown.out, shown.err.strip()) == (0, "", said)
        assert invoke("logs", "--data-dir", str(kept), "--json", *words).json == []
    assert said not in invoke("logs", "--data-dir", str(kept)).err


def test_following_a_log_goes_on_over_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "agent.log"
    path.write_text("one\ntwo\n")
    steps = iter(["three\nfo", "ur\n", None])

    def pause() -> None:
        step = next(steps)
        if step is None:
            path.rename(tmp_path / "agent.log.1")
        append(path, step or "five\n")

    found = followed(path, 1, pause)
    assert [next(found) for _ in range(4)] == ["two", "three", "four", "five"]
    found.close()


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_logs_shows_what_the_agent_wrote(tmp_path: Path) -> None:
    home = make_home(tmp_path, "attic")
    with home.agent():
        pass
    assert home("logs").out


LINES = (
    "2026-11-20T08:49:00Z info    enigma_fed.daemon.app: one",
    "2026-11-20T09:49:00Z warning enigma_fed.rpc.endpoint: two: a part",
    "2026-11-20T10:49:00Z info    enigma_fed.daemon.app: three",
)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """Three lines, the oldest in a file that was set aside."""
    folder = tmp_path / "log"
    folder.mkdir()
    (folder / "agent.log.1").write_text(f"{LINES[0]}\n")
    (folder / "agent.log").write_text("".join(f"{line}\n" for line in LINES[1:]))
    return tmp_path


def test_files_that_were_set_aside_count_too(kept: Path) -> None:
    assert invoke("logs", "--data-dir", str(kept)).out.splitlines() == list(LINES)
    assert tail(kept / "log" / "agent.log", 2) == list(LINES[1:])


def test_since_and_level_choose(kept: Path) -> None:
    def shown(*words: str) -> list[str]:
        return invoke("logs", "--data-dir", str(kept), *words).out.splitlines()

    assert shown("--level", "warning") == [LINES[1]]
    assert shown("--since", "2026-11-20T10:49:00+01:00") == list(LINES[1:])
    assert shown("--since", "30000d") == list(LINES)
    assert shown("--since", "2026-11-20T09:00:00Z", "--level", "info", "--lines", "1") == [LINES[2]]
    assert invoke("logs", "--data-dir", str(kept), "--since", "yesterday").exit_code == 2


def test_with_json_a_line_is_an_object_however_it_was_written(kept: Path) -> None:
    first, *_ = invoke("logs", "--json", "--data-dir", str(kept)).json
    assert first == {
        "time": "2026-11-20T08:49:00Z", "level": "info", "logger": "enigma_fed.daemon.app", "message": "one",
    }  # fmt: skip
    record = logging.LogRecord("enigma_fed.x", logging.WARNING, "", 0, "two", (), None)
    found = parse(JsonFormatter().format(record))
    assert (found.level, found.logger, found.message) == ("warning", "enigma_fed.x", "two")
    assert parse("{no json") == LogLine(message="{no json")
