"""Orqestra's paths, and who answers them."""

from aiohttp import web

from gateway.accepting import Acceptor
from gateway.authentication import Authenticator
from gateway.clients import Clients
from gateway.dialects.orqestra.inbox import Inbox
from gateway.dialects.orqestra.trigger import Trigger

_INBOX = "/api/v1/notifications/{tenant_id}/{user_id}"


def add_routes(app: web.Application, clients: Clients, authenticator: Authenticator, acceptor: Acceptor) -> None:
    """Serve the dialect."""
    trigger = Trigger(authenticator, acceptor)
    inbox = Inbox(clients, authenticator)
    router = app.router
    router.add_post("/api/v1/events/trigger", trigger.trigger)
    router.add_post("/api/v1/auth/realtime-token", inbox.issue_token)
    router.add_get(_INBOX, inbox.list_notifications, allow_head=False)
    router.add_get(_INBOX + "/unread-count", inbox.count_unread, allow_head=False)
    router.add_put(_INBOX + "/{notification_id}/read", inbox.mark_read)
