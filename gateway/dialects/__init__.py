"""The public APIs, one folder each. Each answers in its own words; nothing of one leaks into another.

A folder here is a dialect of the gateway once its package has a DIALECT. No other file names it. Two of them may have
the same path: gateway/shared_paths.py decides whose a request is.
"""

import functools
import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

from clarion.common.v1 import event_pb2
from gateway.accepting import TriggerBatcher
from gateway.audit_words import Words
from gateway.authentication import CachedAuthenticator
from gateway.clients import Clients
from gateway.cursors import Cursors
from gateway.portal import PortalLinks
from gateway.revisions import Revisions
from runtime import clock

if TYPE_CHECKING:  # only the OpenAPI document needs it, which most gateways never make
    from gateway.openapi.operations import DialectArea


@dataclass(frozen=True, slots=True)
class Backend:
    """What a dialect's handlers call. now: the time that a request's own times are compared with."""

    clients: Clients
    authenticator: CachedAuthenticator
    acceptor: TriggerBatcher
    revisions: Revisions
    portal_links: PortalLinks
    cursors: Cursors
    now: clock.Clock = clock.now_us


@dataclass(frozen=True, slots=True)
class KeyKind:
    """What the keys of one kind are like, for the admin API that creates them.

    prefix: how they begin; empty: with nothing special. sends: whether they send events, so that rates apply to them.
    scopes_are_ids: whether their scopes are ids of environments; else any words.
    """

    prefix: str = ""
    sends: bool = True
    scopes_are_ids: bool = False


@dataclass(frozen=True, slots=True)
class Copy:
    """A request that sends an event once more, as a caller of an API would write it. path: of this gateway.

    headers: also the credential, as a placeholder in words. body: JSON. fresh_header: the one of them whose value must
    be new for each request; empty: none.
    """

    path: str
    headers: Mapping[str, str]
    body: bytes
    fresh_header: str = ""


# A method, and a path that several dialects may have.
SharedPath = tuple[str, str]
RequestHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _no_copy(_: event_pb2.Event) -> Copy | None:
    return None


def _nothing_shared(_: Backend) -> Mapping[SharedPath, RequestHandler]:
    return {}


def _not_recognized(_: web.Request) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Dialect:
    """One public API.

    claims: whether a request is meant for this API, also if none of its routes matches.
    unanswered: the response to such a request for a status that no handler answered (404, 405, 500).
    area: its part of the OpenAPI document, with every path that add_routes() serves.
    key_kinds: what keys of its own kinds are like.
    is_main: whether readers of the OpenAPI document meet it first.
    copy: the request of this API that sends an accepted event once more; None: this API does not have such events.
    audited: what its calls did, by method and route, of those that the audit log records.
    shared: the handlers of paths that another dialect may have, too (gateway/shared_paths.py); add_routes() adds none.
    recognizes: whether a request looks like one of this API by the form of its key, or by headers of this API alone.
    """

    add_routes: Callable[[web.Application, Backend], None]
    claims: Callable[[web.Request], bool]
    unanswered: Callable[[int], web.Response]
    area: "Callable[[], DialectArea]"
    key_kinds: Mapping[str, KeyKind] = field(default_factory=dict)
    is_main: bool = False
    copy: Callable[[event_pb2.Event], Copy | None] = _no_copy
    audited: Callable[[], Mapping[tuple[str, str], Words]] = dict
    shared: Callable[[Backend], Mapping[SharedPath, RequestHandler]] = _nothing_shared
    recognizes: Callable[[web.Request], bool] = _not_recognized


@functools.cache
def installed() -> tuple[Dialect, ...]:
    """Return every dialect: the main one, then the others by the names of their folders."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if module.ispkg)
    found = [importlib.import_module(f"{__name__}.{name}").DIALECT for name in names]
    return tuple(sorted(found, key=lambda dialect: not dialect.is_main))


def of(request: web.Request) -> Dialect | None:
    """Return the dialect that a request is meant for, None if it is no dialect's."""
    claiming = [dialect for dialect in installed() if dialect.claims(request)]
    if len(claiming) > 1:
        claiming.sort(key=lambda dialect: not dialect.recognizes(request))
    return claiming[0] if claiming else None


def copy_of(event: event_pb2.Event) -> Copy | None:
    """Return the request that sends an accepted event once more, in the first API that has such events."""
    return next((copy for dialect in installed() if (copy := dialect.copy(event)) is not None), None)


def key_kind(name: str) -> KeyKind:
    """Return what the keys of a kind are like."""
    return next((dialect.key_kinds[name] for dialect in installed() if name in dialect.key_kinds), KeyKind())
