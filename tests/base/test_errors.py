"""The error tree: every class has its text, its codes, and a place in the tree."""

import pytest

from enigma_fed.base import errors, rpc_errors

EXIT_CODES = {0, 1, 2, 3, 4, 5, 6, 7, 75}


def classes(root: type[errors.EnigmaError]) -> list[type[errors.EnigmaError]]:
    return [root, *(c for child in root.__subclasses__() for c in classes(child))]


@pytest.mark.parametrize("cls", classes(errors.EnigmaError))
def test_every_class_speaks_to_the_user(cls: type[errors.EnigmaError]) -> None:
    assert (cls.__doc__ or "").strip().endswith(".")
    assert cls.exit_code in EXIT_CODES
    assert cls.rpc_code in range(-32768, -31999)


def test_words_of_the_rpc_endpoint_are_unique() -> None:
    found = [c for c in classes(rpc_errors.RpcError) if c is not rpc_errors.RpcError]
    assert len({c.code for c in found}) == len(found)


def test_text_says_what_why_and_what_to_do() -> None:
    error = errors.InviteExpired("it ended 3 hours ago", hint="Ask for a new one.")
    assert str(error) == "The invite code has expired: it ended 3 hours ago. Ask for a new one."


def test_a_write_that_failed_says_what_to_do() -> None:
    assert "enigma-fed doctor" in errors.WriteFailed("nodes.json: No space left on device").hint
    assert errors.WriteFailed(hint="Remove peers.").hint == "Remove peers."


def test_a_refusal_keeps_the_word_of_the_peer() -> None:
    error = errors.RefusedByPeer("token-used", "another node used it")
    assert (error.code, error.exit_code) == ("token-used", 4)
