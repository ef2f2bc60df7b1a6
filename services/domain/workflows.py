"""Stored workflows as the router publishes them: the form that ingest reads. Pure.

Workflows are stored by the router (services/router/workflows). What a version says is not published: only the router
reads it.
"""

from collections.abc import Sequence

import msgspec


class Workflow(msgspec.Struct, frozen=True, omit_defaults=True):
    """A stored workflow. scope: events of this scope start it; empty: of every scope. version: the current one."""

    id: str
    version: int
    scope: str = ""
    active: bool = True


decode_workflows = msgspec.json.Decoder(tuple[Workflow, ...]).decode


def in_scope(workflows: Sequence[Workflow], scope: str) -> list[Workflow]:
    """Return those that events of this scope may start. scope: empty: only those of every scope."""
    return [one for one in workflows if one.scope in ("", scope)]
