"""Which version of a workflow, and what is stored of it. Pure."""

from dataclasses import dataclass
from typing import NamedTuple

from services.router.workflows.document import Document


class VersionKey(NamedTuple):
    """A version of a workflow."""

    tenant_id: str
    workflow_id: str
    version: int


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A version of a workflow that is stored. key: which one it is. name, event_type: of the workflow, as they are now.

    document: None: this release cannot read it, because a later one wrote it.
    """

    key: VersionKey
    name: str
    event_type: str
    document: Document | None
