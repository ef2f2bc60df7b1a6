"""Sendmator's API: events that start workflows, messages, and contacts. See README.md here."""

from typing import TYPE_CHECKING

from gateway.dialects import Dialect
from gateway.dialects.sendmator.copy import copy
from gateway.dialects.sendmator.credentials import KEY_KINDS, recognizes
from gateway.dialects.sendmator.errors import unanswered
from gateway.dialects.sendmator.routes import add_routes, audited, claims, shared

if TYPE_CHECKING:
    from gateway.openapi.operations import DialectArea


def _area() -> "DialectArea":
    # Imported when the OpenAPI document is made: most gateways never need it in memory.
    from gateway.dialects.sendmator.openapi import AREA

    return AREA


DIALECT = Dialect(
    add_routes=add_routes,
    claims=claims,
    unanswered=unanswered,
    area=_area,
    key_kinds=KEY_KINDS,
    copy=copy,
    audited=audited,
    shared=shared,
    recognizes=recognizes,
)
