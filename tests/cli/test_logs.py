"""`enigma-fed logs`."""

from __future__ import annotations

from pathlib import Path

from enigma_fed.cli.logs import followed
from tests.cli.fakes import invoke
from tests.cli.homes import make_home


def test_logs_shows_the_last_lines(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "agent.log").write_text("one\ntwo\nthree\x1b[2J\n")
    words = ["logs", "--data-dir", str(tmp_path), "--lines", "2"]
    assert invoke(*words).out == "two\nthree?[2J\n"
    assert invoke(*words, "--json").json == ["two", "three\x1b[2J"]


def test_logs_without_a_log_says_who_writes_it(tmp_path: Path) -> None:
    shown = invoke("logs", "--data-dir", str(tmp_path))
    assert (shown.exit_code, shown.out) == (0, "")
    assert f"enigma-fed --data-dir {tmp_path} run" in shown.err


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
