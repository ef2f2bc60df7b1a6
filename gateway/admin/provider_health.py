"""How providers are doing, the order in which they are tried, and test messages."""

from typing import Annotated, Any

import msgspec
from aiohttp import web

from clarion.senders.v1 import health_pb2, senders_pb2
from gateway.admin import forms
from gateway.admin.providers import shown
from gateway.clients import Clients
from gateway.replies import json_reply

MAX_PROVIDERS = 100
# The call of the provider has 20 s, and connections may have to be waited for.
_TEST_DEADLINE_S = 28.0

STATES = {
    health_pb2.PROVIDER_BREAKER_STATE_CLOSED: "closed",
    health_pb2.PROVIDER_BREAKER_STATE_OPEN: "open",
    health_pb2.PROVIDER_BREAKER_STATE_TESTING: "testing",
}

Ids = Annotated[list[forms.Id], msgspec.Meta(max_length=MAX_PROVIDERS)]


class ProviderOrderBody(forms.Body):
    """The body of PUT /tenants/{id}/provider-order: all providers of the channel, the one that is tried first before.

    expected_ids: the order that was read before; if it is another one by now, nothing changes. Absent: not checked.
    """

    channel: forms.PeopleChannel
    provider_ids: Ids
    expected_ids: Ids = msgspec.field(default_factory=list)


class ProviderTestBody(forms.Body):
    """The body of POST /providers/{id}/test. recipient: an e-mail address, or a number such as +254712345678."""

    recipient: Annotated[str, msgspec.Meta(min_length=1, max_length=320, pattern=r"^[^\u0000]*$")]


class ProviderHealthRoutes:
    """Handlers that ask senders' ProviderHealthService, and ProviderService for the order."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def state(self, request: web.Request) -> web.Response:
        """Return how a provider is doing."""
        wire = health_pb2.GetProviderStatesRequest(provider_id=forms.path_id(request))
        answer = await self._clients.call(self._clients.provider_health.GetProviderStates, wire)
        return json_reply(_state(answer.states[0]))

    async def states(self, request: web.Request) -> web.Response:
        """Return how all providers of a tenant are doing; there are at most 100."""
        wire = health_pb2.GetProviderStatesRequest(tenant_id=await forms.path_tenant(request, self._clients))
        answer = await self._clients.call(self._clients.provider_health.GetProviderStates, wire)
        return json_reply(forms.page(request, list(map(_state, answer.states)), ""))

    async def test(self, request: web.Request) -> web.Response:
        """Send one message through this provider only."""
        body = await forms.read(request, ProviderTestBody)
        wire = health_pb2.TestProviderRequest(provider_id=forms.path_id(request), recipient=body.recipient)
        answer = await self._clients.call(self._clients.provider_health.TestProvider, wire, deadline=_TEST_DEADLINE_S)
        return json_reply(
            {
                "sent": answer.sent,
                "provider_message_id": answer.provider_message_id or None,
                "failure": _failure(answer.failure) if answer.HasField("failure") else None,
                "duration_ms": answer.duration_us / 1000,
                "delivery_id": answer.delivery_id,
            }
        )

    async def order(self, request: web.Request) -> web.Response:
        """Set the order in which a channel's providers are tried."""
        body = await forms.read(request, ProviderOrderBody)
        wire = senders_pb2.OrderProvidersRequest(
            channel=forms.people_channel(body.channel),
            tenant_id=await forms.path_tenant(request, self._clients),
            provider_ids=body.provider_ids,
            expected_ids=body.expected_ids,
        )
        answer = await self._clients.call(self._clients.providers.OrderProviders, wire)
        return json_reply(forms.page(request, list(map(shown, answer.providers)), ""))


def _state(one: health_pb2.ProviderState) -> dict[str, Any]:
    return {
        "provider_id": one.provider_id,
        "tenant_id": one.tenant_id,
        "channel": forms.channel_name(one.channel),
        "state": STATES.get(one.state, "closed"),
        "since": forms.iso(one.since_us),
        "next_try_at": forms.iso(one.next_try_us),
        "reason": one.reason or None,
        "paused_processes": one.paused_processes,
        "last_call_at": forms.iso(one.last_call_us),
        "last_failure": _failure(one.last_failure) if one.HasField("last_failure") else None,
        "last_hour": {
            "calls": one.last_hour.calls,
            "failures": one.last_hour.failures,
            "refusals": one.last_hour.refusals,
        },
    }


def _failure(one: health_pb2.ProviderFailure) -> dict[str, Any]:
    return {
        "at": forms.iso(one.at_us),
        "reason": one.reason,
        "text": one.text,
        "advice": one.advice or None,
        "detail": one.detail or None,
    }
