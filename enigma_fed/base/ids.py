"""Identifiers of nodes: `did:key` (Ed25519), version 3 onion addresses, node names.

A value of these types is always valid (invariant 4): parsing is the only way in.
"""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from dataclasses import dataclass
from typing import Final, Self

import base58
import msgspec
import nacl.bindings

from enigma_fed.base import limits
from enigma_fed.base.errors import DidInvalid, FieldInvalid, OnionInvalid
from enigma_fed.base.lookalike import is_unseen

_DID_PREFIX: Final = "did:key:z"
_ED25519_MULTICODEC: Final = b"\xed\x01"
_DID_MAX_CHARACTERS: Final = 64
_ONION_SUFFIX: Final = ".onion"
_ONION_VERSION: Final = b"\x03"
_DID_INSIDE: Final = ("did:key", "z6mk")
_MARKS: Final = frozenset({"Mn", "Me"})
_ONION_ALPHABET: Final = frozenset("abcdefghijklmnopqrstuvwxyz234567")


def is_public_key(key: bytes) -> bool:
    """Whether 32 bytes are a canonical Ed25519 point of large order (libsodium's check)."""
    return len(key) == 32 and nacl.bindings.crypto_core_ed25519_is_valid_point(key)


class Did(msgspec.Struct, frozen=True):
    """The DID of a node: a `did:key` of its Ed25519 public key (32 bytes)."""

    public_key: bytes

    def __post_init__(self) -> None:
        if not is_public_key(self.public_key):
            raise DidInvalid("its key is not a usable Ed25519 public key")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `did:key:z6Mk…`; raises DidInvalid."""
        if not text.startswith(_DID_PREFIX) or len(text) > _DID_MAX_CHARACTERS:
            raise DidInvalid("it must start with did:key:z6Mk")
        try:
            raw = base58.b58decode(text[len(_DID_PREFIX) :].encode("ascii"))
        except (ValueError, UnicodeEncodeError):
            raise DidInvalid("it is not base58") from None
        if raw[:2] != _ED25519_MULTICODEC or len(raw) != 34:
            raise DidInvalid("it is not an Ed25519 key")
        did = cls(raw[2:])
        if str(did) != text:
            raise DidInvalid("it is not in its shortest form")
        return did

    def __str__(self) -> str:
        return _DID_PREFIX + base58.b58encode(_ED25519_MULTICODEC + self.public_key).decode("ascii")

    @property
    def url(self) -> str:
        """The DID URL of the key, `did:key:z…#z…`, as used for `keyid`."""
        text = str(self)
        return f"{text}#{text.removeprefix('did:key:')}"

    @classmethod
    def parse_url(cls, text: str) -> Self:
        """Read a DID URL `did:key:z…#z…`; raises DidInvalid."""
        did = cls.parse(text.partition("#")[0])
        if did.url != text:
            raise DidInvalid("the key id is not the DID's own key")
        return did

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the public key, first 16 bytes, in groups of four hex digits, for reading aloud."""
        digits = hashlib.sha256(self.public_key).hexdigest()[:32]
        return " ".join(digits[i : i + 4] for i in range(0, 32, 4))

    @property
    def short(self) -> str:
        """A shortened form for tables and logs; not unique."""
        text = str(self)
        return f"{text[8:14]}…{text[-4:]}"


@dataclass(frozen=True, slots=True)
class OnionAddress:
    """A Tor version 3 onion address: the service's Ed25519 public key (rend-spec-v3 section 6)."""

    public_key: bytes

    def __post_init__(self) -> None:
        if not is_public_key(self.public_key):
            raise OnionInvalid("its key is not a usable Ed25519 public key")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read 56 lower-case base32 characters and `.onion`; raises OnionInvalid."""
        label = text.removesuffix(_ONION_SUFFIX)
        if label == text or len(label) != 56 or not _ONION_ALPHABET.issuperset(label):
            raise OnionInvalid("it must be 56 characters a-z and 2-7, followed by .onion")
        raw = base64.b32decode(label.upper())
        key, checksum, version = raw[:32], raw[32:34], raw[34:]
        if version != _ONION_VERSION:
            raise OnionInvalid("its version is not 3")
        if checksum != _onion_checksum(key):
            raise OnionInvalid("its checksum does not match")
        return cls(key)

    def __str__(self) -> str:
        raw = self.public_key + _onion_checksum(self.public_key) + _ONION_VERSION
        return base64.b32encode(raw).decode("ascii").lower() + _ONION_SUFFIX

    @property
    def short(self) -> str:
        """A shortened form for logs (invariant 8)."""
        return f"{str(self)[:6]}…{_ONION_SUFFIX}"


def _onion_checksum(key: bytes) -> bytes:
    return hashlib.sha3_256(b".onion checksum" + key + _ONION_VERSION).digest()[:2]


def _deceives(character: str) -> bool:
    return is_unseen(character) or (unicodedata.category(character) == "Zs" and character != " ")


def _has_stack(text: str) -> bool:
    """Whether more marks than any script writes stand on one letter: they would cover other lines."""
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character) in _MARKS else 0
        if marks > limits.NAME_MARKS:
            return True
    return False


def parse_node_name(text: str) -> str:
    """A node's name: 1 to 64 UTF-8 bytes, all of it seen, no surrounding spaces; raises FieldInvalid.

    It holds nothing that looks like a DID: names that look alike are shown with a piece of their DIDs.
    """
    if not text or text != text.strip():
        raise FieldInvalid("name must not be empty or surrounded by spaces")
    try:
        size = len(text.encode("utf-8"))
    except UnicodeEncodeError:
        raise FieldInvalid("name is not valid Unicode") from None
    if size > limits.NODE_NAME_BYTES:
        raise FieldInvalid(f"name is longer than {limits.NODE_NAME_BYTES} bytes")
    if any(_deceives(character) for character in text):
        raise FieldInvalid("name holds control or invisible characters")
    if not text.isascii() and _has_stack(text):
        raise FieldInvalid(f"name holds more than {limits.NAME_MARKS} marks on one letter")
    folded = unicodedata.normalize("NFKC", text).casefold()
    if any(part in folded for part in _DID_INSIDE):
        raise FieldInvalid("name looks like a DID")
    return text
