"""Template versions and their parts, in memory and on PostgreSQL."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
from nats.aio.client import Client

from services.render.part_store import PostgresParts
from services.render.samples.store import PostgresSamples
from services.render.store import PostgresTemplates
from tests.contract.ports.conftest import Pool
from tests.fakes.render import MemoryParts, MemoryTemplates
from tests.fakes.render_samples import MemorySamples
from tests.integration.outboxes import PatientOutbox


@dataclass
class Subject:
    """Both stores, of one kind: a part's users are templates."""

    templates: PostgresTemplates | MemoryTemplates
    parts: PostgresParts | MemoryParts
    samples: PostgresSamples | MemorySamples
    set_locale: Callable[[str, str], Awaitable[None]]
    go_away: Callable[[], None]


def _fake() -> Subject:
    templates, samples = MemoryTemplates(), MemorySamples()

    async def set_locale(tenant_id: str, locale: str) -> None:
        templates.locales[tenant_id] = locale

    def go_away() -> None:
        templates.away = templates.parts.away = samples.away = True

    return Subject(templates, templates.parts, samples, set_locale, go_away)


def _real(pool: Pool, connection: Client) -> Subject:
    store = PostgresTemplates(pool, PatientOutbox(pool, "render", connection))
    return Subject(store, PostgresParts(pool), PostgresSamples(pool), store.set_default_locale, pool.terminate)


@pytest.fixture(params=["fake", "real"])
def subject(request: pytest.FixtureRequest) -> Subject:
    """Each implementation."""
    if request.param == "fake":
        return _fake()
    return _real(request.getfixturevalue("pool"), request.getfixturevalue("connection"))
