"""What a registry refuses with: a fixed text, a code, and what a command's exit says of it."""

from __future__ import annotations

from enigma_fed.base import registry_errors as refusals


def test_a_refusal_says_for_a_person_what_the_registry_said() -> None:
    refusal = refusals.RateLimited(30)
    assert str(refusal) == "The registry was asked too often: rate limited"
    assert (refusal.retry_after, refusal.exit_code) == (30, 75)


def test_every_class_has_a_code_of_its_own() -> None:
    assert len(refusals.CLASSES_BY_CODE) == len(refusals.CLASSES)
    assert refusals.CLASSES_BY_CODE["CONFLICT"] is refusals.IdentityConflict


def test_words_of_another_registry_are_kept() -> None:
    found = refusals.IdentityConflict.received("taken", "handle", None)
    assert (type(found), found.message, found.field, found.exit_code) == (
        refusals.IdentityConflict, "taken", "handle", 6,
    )  # fmt: skip
