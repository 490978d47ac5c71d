"""Requests that a registry's OpenAPI document allows, and requests that it does not (schemathesis)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from enigma_fed.registry import openapi
from enigma_fed.registry.settings import RegistrySettings
from tests.support.registryserver import registry

# Not looked at: whether what fits is taken (an envelope that opens cannot be guessed), and what goes on
# between requests, such as authentication and resources that are made and deleted.
_LOOKED_AT: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
)

_REFUSALS: Final = [400, 401, 403, 404, 405, 409, 413, 415]
"""What tells that a request was not taken; schemathesis itself does not think of 413."""


@contextmanager
def served(made: RegistrySettings) -> Iterator[str]:
    """A registry in a thread of its own; gives its URL."""
    ready: list[str] = []
    up = threading.Event()
    loop = asyncio.new_event_loop()
    end = asyncio.Event()

    async def serve() -> None:
        try:
            async with registry(made) as caller:
                ready.append(caller.url)
                up.set()
                await end.wait()
        finally:
            up.set()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert up.wait(60)
        yield ready[0]
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(60)


def fuzz(made: RegistrySettings, examples: int) -> int:
    """Send so many requests of either kind to every operation and check each answer; returns how many."""
    load_all_checks()
    checks: Any = [check for check in CHECKS.get_all() if check.__name__ in _LOOKED_AT]
    assert len(checks) == len(_LOOKED_AT)
    config = schemathesis.Config.from_dict(
        {"checks": {"negative_data_rejection": {"expected-statuses": _REFUSALS}}}
    )
    schema = schemathesis.openapi.from_dict(openapi.document(), config=config)
    sent = 0
    with served(made) as url:
        for found in schema.get_all_operations():
            operation = found.ok()
            takes = any(operation.iter_parameters()) or len(operation.body) > 0
            for mode in (
                (GenerationMode.POSITIVE, GenerationMode.NEGATIVE) if takes else (GenerationMode.POSITIVE,)
            ):

                @settings(
                    max_examples=examples,
                    deadline=None,
                    database=None,
                    derandomize=examples < 50,
                    suppress_health_check=list(HealthCheck),
                )
                @given(case=operation.as_strategy(generation_mode=mode))
                def each(case: Case) -> None:
                    nonlocal sent
                    sent += 1
                    case.call_and_validate(base_url=url, checks=checks)

                each()
    return sent
