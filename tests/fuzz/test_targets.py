"""Every decoder against its corpus, against any bytes and against almost valid inputs."""

from __future__ import annotations

from functools import cache
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz import corpus
from tests.fuzz.mutation import mutate
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS

each_target = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
often = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@cache
def inputs(name: str) -> list[bytes]:
    """The kept inputs of a target, read once."""
    return corpus.inputs(TARGETS[name])


@each_target
def test_the_kept_inputs_do_no_harm_and_reach_both_ends(target: Target) -> None:
    verdicts = {target.read(data) for data in inputs(target.name)}
    assert verdicts == {True, False}, "the corpus needs inputs that are accepted and inputs that are refused"


@each_target
@often
@given(data=st.binary(max_size=200))
def test_any_bytes_do_no_harm(target: Target, data: bytes) -> None:
    target.read(data)


@each_target
@often
@given(data=st.data(), choose=st.randoms(use_true_random=False))
def test_almost_valid_inputs_do_no_harm(target: Target, data: st.DataObject, choose: Random) -> None:
    seed = data.draw(st.sampled_from(inputs(target.name)))
    target.read(mutate(seed, choose, target.form))


def test_the_corpus_has_a_target_for_each_folder_and_stays_small() -> None:
    assert {path.name for path in corpus.FOLDER.iterdir()} == TARGETS.keys()
    assert sum(path.stat().st_size for path in corpus.FOLDER.rglob("*") if path.is_file()) < 600_000
