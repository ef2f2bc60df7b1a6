"""The demo shop's orders: each sends the demo user one event, as a shop's server would."""

import secrets
from typing import Any

import msgspec
import orjson
from aiohttp import web

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from gateway import queries
from gateway.accepting import TriggerBatcher
from gateway.observing import EVENT_ID, TENANT_ID
from gateway.replies import BodyError, json_reply, read_json_bytes
from gateway.websocket.token_bucket import TokenBucket
from runtime import telemetry
from runtime.errors import ClarionError, Code

EVENT_TYPE = "order.confirmed"
# What the shop sells: name and price in cents.
PRODUCTS = {"oak": ("Oak sapling", 1800), "gloves": ("Garden gloves", 950), "feeder": ("Bird feeder", 2400)}
# Nobody's: addresses for documentation.
_EMAIL, _PHONE = "ada@example.com", "+15005550006"

# Anyone who sees the page can order: ten at once, then one every three seconds, of all visitors together.
_BURST, _PER_SECOND = 10, 1 / 3
_MAX_BODY_BYTES = 1024
_UNKNOWN = 'The body must be {"product": …} with one of: ' + ", ".join(PRODUCTS) + "."


class _Order(msgspec.Struct, forbid_unknown_fields=True):
    product: str


class DemoOrderRoutes:
    """The handler that accepts an order for the demo user, and nothing else for nobody else."""

    def __init__(self, acceptor: TriggerBatcher, tenant_id: str, user_id: str) -> None:
        self._acceptor = acceptor
        self._tenant_id = tenant_id
        self._user_id = user_id
        self._bucket = TokenBucket(_BURST, _PER_SECOND)

    async def order(self, request: web.Request) -> web.Response:
        """POST /demo/orders {"product"}: {"order_id", "event_id"}."""
        request[TENANT_ID] = self._tenant_id
        queries.check(request)
        try:
            order = msgspec.json.decode(await read_json_bytes(request, limit=_MAX_BODY_BYTES), type=_Order)
            name, cents = PRODUCTS[order.product]
        except BodyError as error:
            return json_reply({"message": error.detail}, status=error.status)
        except (msgspec.DecodeError, ValueError, KeyError):
            return json_reply({"message": _UNKNOWN}, status=422)
        if not self._bucket.take():
            message = "That was many orders at once. Wait a few seconds and try again."
            return json_reply({"message": message}, status=429, headers={"Retry-After": "3"})
        order_id = f"A-{secrets.randbelow(9_000_000) + 1_000_000}"
        try:
            accepted = await self._acceptor.accept(self._tenant_id, self._event(order_id, name, f"${cents / 100:.2f}"))
        except ClarionError as error:
            return _refused(error)
        request[EVENT_ID] = accepted.event_id
        return json_reply({"order_id": order_id, "event_id": accepted.event_id})

    def _event(self, order_id: str, name: str, price: str) -> ingest_pb2.NewEvent:
        variables: dict[str, Any] = {
            "orderId": order_id,
            "customerName": "Ada",
            "items": [{"quantity": 1, "name": name, "price": price}],
            "total": price,
        }
        return ingest_pb2.NewEvent(
            event_type=EVENT_TYPE,
            caller_event_id=order_id,
            recipient=event_pb2.Recipient(user_id=self._user_id, email=_EMAIL, phone=_PHONE),
            variables=orjson.dumps(variables),
            trace_id=telemetry.current_trace(),
        )


def _refused(error: ClarionError) -> web.Response:
    if error.code is Code.LIMITED:
        headers = {"Retry-After": str(max(1, error.retry_after))}
        return json_reply({"message": "A limit of the demo's tenant is reached."}, status=429, headers=headers)
    return json_reply({"message": "The order could not be stored. Try again shortly."}, status=503)
