"""Sample data for previews and test sends: what a sample may be."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from runtime import validation
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.render.faults import tenant_faults
from services.render.templates import MAX_EVENT_TYPE

# Of one event type, and of a tenant.
MAX_SAMPLES = 20
MAX_SAMPLES_OF_TENANT = 1_000
MAX_NAME = 64
MAX_VARIABLES_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class NewSample:
    """A sample's content. tenant_id: empty for the platform. variables: a JSON object, UTF-8."""

    tenant_id: str
    event_type: str
    name: str
    variables: bytes


@dataclass(frozen=True, slots=True)
class StoredSample:
    """A stored sample. Times in Unix microseconds."""

    id: str
    sample: NewSample
    created_at_us: int
    updated_at_us: int


class SampleStore(Protocol):
    """Stores samples. Every method raises UNAVAILABLE while PostgreSQL is not reachable."""

    async def create(self, sample_id: str, new: NewSample) -> StoredSample:
        """Store a sample. Raises CONFLICT if its name is taken, or if there are as many as there may be."""

    async def update(self, sample_id: str, tenant_id: str, name: str, variables: bytes) -> StoredSample:
        """Replace name and variables. Raises NOT_FOUND, CONFLICT if the name is taken."""

    async def get(self, sample_id: str, tenant_id: str) -> StoredSample:
        """Return a sample of this tenant. Raises NOT_FOUND."""

    async def delete(self, sample_id: str, tenant_id: str) -> None:
        """Delete a sample of this tenant. Raises NOT_FOUND."""

    async def page(self, tenant_id: str, event_type: str, *, limit: int, cursor: str) -> list[StoredSample]:
        """Return a tenant's samples by (event type, name), after the one whose id is cursor. event_type: empty: all."""


class SampleLibrary:
    """Creates and updates samples."""

    def __init__(self, store: SampleStore) -> None:
        self._store = store

    async def create(self, new: NewSample) -> StoredSample:
        """Store a sample. Raises INVALID with its faults, and what SampleStore.create raises."""
        faults = [(fault.field, fault.message) for fault in tenant_faults(new.tenant_id)]
        if not 1 <= len(new.event_type) <= MAX_EVENT_TYPE or not new.event_type.isprintable():
            faults.append(("event_type", f"must have 1 to {MAX_EVENT_TYPE} printable characters"))
        _check([*faults, *_content_faults(new.name, new.variables)])
        return await self._store.create(new_id(), new)

    async def update(self, sample_id: str, tenant_id: str, name: str, variables: bytes) -> StoredSample:
        """Replace a sample's name and variables. Raises INVALID, and what SampleStore.update raises."""
        _check(_content_faults(name, variables))
        return await self._store.update(sample_id, tenant_id, name, variables)


def name_taken(name: str) -> ClarionError:
    """Return the error for a name that another sample of the event type has."""
    text = f"is taken: another sample of this event type is called {name!r}"
    return ClarionError(Code.CONFLICT, f"name {text}.", fields=[("name", text)])


def check_room(of_event_type: int, of_tenant: int) -> None:
    """Raise CONFLICT if there are too many samples for another one of an event type of a tenant."""
    if of_event_type >= MAX_SAMPLES:
        raise ClarionError(Code.CONFLICT, f"An event type has at most {MAX_SAMPLES} samples. Delete one first.")
    if of_tenant >= MAX_SAMPLES_OF_TENANT:
        raise ClarionError(Code.CONFLICT, f"A tenant has at most {MAX_SAMPLES_OF_TENANT:,} samples. Delete one first.")


def not_found() -> ClarionError:
    """Return the error for a sample that the tenant does not have."""
    return ClarionError(Code.NOT_FOUND, "Sample not found.")


def _content_faults(name: str, variables: bytes) -> Iterable[tuple[str, str]]:
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable() or name != name.strip():
        yield "name", f"must have 1 to {MAX_NAME} printable characters, without spaces at its ends"
    if len(variables) > MAX_VARIABLES_BYTES:
        yield "variables", f"must be at most {MAX_VARIABLES_BYTES // 1024} KiB"
    elif fault := _json_fault(variables):
        yield "variables", fault


def _json_fault(variables: bytes) -> str:
    try:
        value: Any = msgspec.json.decode(variables)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return f"must be JSON: {validation.json_fault(error) or 'it cannot be read'}"
    return "" if type(value) is dict else "must be a JSON object"


def _check(faults: Iterable[tuple[str, str]]) -> None:
    found = list(faults)
    if found:
        raise ClarionError(Code.INVALID, "; ".join(f"{field} {text}" for field, text in found) + ".", fields=found)
