"""What the identity registry answers with when it does not do what it was asked for (docs/REGISTRY.md).

Each class carries its code and HTTP status; `message` is the fixed text that is sent. It never repeats what a
stranger sent: clients of old look for words in it.

    RegistryError
    +-- InputRefused            INVALID_INPUT 400: UnknownEnvelopeKey, ExpiredEnvelopeKey
    +-- PowRequired             POW_REQUIRED 400
    +-- FeatureDisabled         FEATURE_DISABLED 400
    +-- Unauthorized            UNAUTHORIZED 401
    +-- NotFoundHere            NOT_FOUND 404
    +-- MethodNotAllowed        METHOD_NOT_ALLOWED 405
    +-- IdentityConflict        CONFLICT 409
    +-- TooLarge                TOO_LARGE 413
    +-- UnsupportedMediaType    UNSUPPORTED_MEDIA_TYPE 415
    +-- RateLimited             RATE_LIMITED 429, says when to come back
    +-- InternalFault           INTERNAL 500
    +-- Unavailable             UNAVAILABLE 503, says when to come back

What a server tells its owner: RegistryRunning (exit 6), ForeignStore (exit 7).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Final, Self

from enigma_fed.base.errors import Conflict, EnigmaError, StoreError


class RegistryError(EnigmaError):
    """The registry refused."""

    code = "registry-refused"
    exit_code = 4
    registry_code: ClassVar[str] = "INTERNAL"
    http_status = 500

    def __init__(
        self, message: str, *, field: str | None = None, retry_after: int | None = None, hint: str = ""
    ) -> None:
        super().__init__(message, hint=hint)
        self.message = message
        """The text of the error object."""
        self.field = field
        """`details.field`: which member or parameter is meant."""
        self.retry_after = retry_after
        """Header `Retry-After`, in seconds."""

    @classmethod
    def received(cls, message: str, field: str | None, retry_after: int | None) -> Self:
        """The refusal that another registry answered with, in its own words."""
        refusal = cls.__new__(cls)
        RegistryError.__init__(refusal, message, field=field, retry_after=retry_after)
        return refusal


class InputRefused(RegistryError):
    """The registry cannot use that input."""

    code = "registry-input"
    registry_code = "INVALID_INPUT"
    http_status = 400

    def __init__(self, field: str, reason: str = "") -> None:
        """`reason` is one of a few fixed texts; without one the field's name stands for it."""
        super().__init__(f"invalid input: {reason or field}", field=field)


class UnknownEnvelopeKey(InputRefused):
    """The registry has no envelope key of that id."""

    code = "registry-envelope-key"

    def __init__(self) -> None:
        super().__init__("envelope.kid", "unknown envelope key")


class ExpiredEnvelopeKey(InputRefused):
    """That envelope key of the registry has expired."""

    code = "registry-envelope-key"

    def __init__(self) -> None:
        super().__init__("envelope.kid", "expired envelope key")


class PowRequired(RegistryError):
    """The registry asks for a proof of work."""

    code = "registry-pow"
    registry_code = "POW_REQUIRED"
    http_status = 400

    def __init__(self) -> None:
        super().__init__("pow required", field="x-enigma-pow")


class FeatureDisabled(RegistryError):
    """The registry does not offer that."""

    code = "registry-disabled"
    registry_code = "FEATURE_DISABLED"
    http_status = 400

    def __init__(self, feature: str) -> None:
        super().__init__(f"feature disabled: {feature}")


class Unauthorized(RegistryError):
    """The registry does that only for whoever proves a right to it."""

    code = "registry-unauthorized"
    registry_code = "UNAUTHORIZED"
    http_status = 401

    def __init__(self) -> None:
        super().__init__("unauthorized")


class NotFoundHere(RegistryError):
    """The registry has no such thing."""

    code = "registry-not-found"
    registry_code = "NOT_FOUND"
    http_status = 404
    exit_code = 5

    def __init__(self) -> None:
        super().__init__("not found")


class MethodNotAllowed(RegistryError):
    """The registry's route has no such method."""

    code = "registry-method"
    registry_code = "METHOD_NOT_ALLOWED"
    http_status = 405

    def __init__(self) -> None:
        super().__init__("method not allowed")


class IdentityConflict(RegistryError):
    """The handle is taken by another identity."""

    code = "registry-conflict"
    registry_code = "CONFLICT"
    http_status = 409
    exit_code = 6

    def __init__(self) -> None:
        super().__init__("conflict")


class TooLarge(RegistryError):
    """That is larger than the registry reads."""

    code = "registry-too-large"
    registry_code = "TOO_LARGE"
    http_status = 413

    def __init__(self) -> None:
        super().__init__("too large", field="body")


class UnsupportedMediaType(RegistryError):
    """The registry reads JSON that is not compressed."""

    code = "registry-media-type"
    registry_code = "UNSUPPORTED_MEDIA_TYPE"
    http_status = 415

    def __init__(self, field: str = "content-type") -> None:
        super().__init__("unsupported media type", field=field)


class RateLimited(RegistryError):
    """The registry was asked too often."""

    code = "registry-rate"
    registry_code = "RATE_LIMITED"
    http_status = 429
    exit_code = 75

    def __init__(self, retry_after: int) -> None:
        super().__init__("rate limited", retry_after=retry_after)


class InternalFault(RegistryError):
    """The registry made a mistake."""

    code = "registry-internal"
    registry_code = "INTERNAL"

    def __init__(self) -> None:
        super().__init__("internal error")


class Unavailable(RegistryError):
    """The registry cannot answer right now."""

    code = "registry-unavailable"
    registry_code = "UNAVAILABLE"
    http_status = 503
    exit_code = 75

    def __init__(self, retry_after: int) -> None:
        super().__init__("unavailable", retry_after=retry_after)


class RegistryRunning(Conflict):
    """Another registry already runs on this folder."""

    code = "registry-running"


class ForeignStore(StoreError):
    """This folder holds the registry of another program."""

    code = "foreign-store"


CLASSES: Final = (
    InputRefused, PowRequired, FeatureDisabled, Unauthorized, NotFoundHere, MethodNotAllowed,
    IdentityConflict, TooLarge, UnsupportedMediaType, RateLimited, InternalFault, Unavailable,
)  # fmt: skip
CLASSES_BY_CODE: Final[Mapping[str, type[RegistryError]]] = MappingProxyType(
    {found.registry_code: found for found in CLASSES}
)
"""The class of each code that a registry answers with."""
