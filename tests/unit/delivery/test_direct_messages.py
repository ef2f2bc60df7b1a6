"""What a worker has rendered of direct messages, and of those of stored workflows."""

import asyncio
from typing import Any

from clarion.common.v1 import event_pb2
from clarion.render.v1 import render_pb2
from runtime.ids import new_id
from services.delivery.render_client import RenderClient
from tests.fakes.delivery import Neighbours
from tests.fakes.grpc import MemoryCaller, MemoryChannel
from tests.unit.delivery.desk import FAILED, RENDER_SERVICE, SENT, Desk, a_delivery

_ADA = event_pb2.Recipient(user_id="ada", phone="+254712345678", name="Ada", data=b'{"plan":"gold"}')


_TEXT = "Hi {{contact_name}}"


def _direct(event_id: str, body: str = _TEXT) -> event_pb2.Delivery:
    content = event_pb2.DirectContent(body=body)
    direct = event_pb2.DirectMessage(channel=event_pb2.CHANNEL_SMS, content_given=content)
    return a_delivery(id=new_id(), event_id=event_id, template_version_id="", recipient=_ADA, direct=direct)


async def test_one_events_content_is_handed_over_once() -> None:
    """Though many deliveries are rendered together; another event's content is its own."""
    neighbours = Neighbours()  # type: ignore[abstract]  # the other methods are never called
    channel: Any = MemoryChannel()
    caller: Any = MemoryCaller({RENDER_SERVICE: neighbours})
    client = RenderClient(channel, caller)
    event_id, other_id = new_id(), new_id()
    stored = a_delivery()
    waiting = [_direct(event_id), _direct(event_id), _direct(other_id, "Bye"), stored]
    await asyncio.gather(*map(client.render, waiting))
    (request,) = neighbours.requests
    assert [template.body for template in request.templates] == [_TEXT, "Bye"]
    assert [(item.unsaved_template, item.template_version_id) for item in request.items] == [
        (1, ""),
        (1, ""),
        (2, ""),
        (0, stored.template_version_id),
    ]


async def test_templates_know_the_contact_of_workflows_and_direct_messages_alone() -> None:
    """Others are rendered as they always were."""
    desk = Desk()
    desk.start()
    for one in (a_delivery(recipient=_ADA), a_delivery(recipient=_ADA, workflow_id=new_id()), _direct(new_id())):
        await desk.see(one)
    await desk.stop()
    assert [item.contact if item.HasField("contact") else None for item in desk.neighbours.items] == [None, _ADA, _ADA]


async def test_the_fault_of_a_secret_is_not_quoted() -> None:
    """Its reason is recorded; its detail may quote the data."""
    desk = Desk()
    failure = render_pb2.RenderFailure(reason="template_error", detail="482913 is not a date")
    desk.neighbours.rendered = render_pb2.RenderResult(failure=failure)
    desk.start()
    await desk.see(a_delivery())
    await desk.see(a_delivery(is_secret=True))
    await desk.stop()
    assert desk.endings == [(FAILED, "template_error")] * 2
    assert [step.detail for step in desk.steps] == ["482913 is not a date", ""]


async def test_a_direct_message_of_a_template_needs_no_content() -> None:
    """It has a version, as others have."""
    desk = Desk()
    desk.start()
    one = a_delivery()
    one.direct.template_key = "receipt"
    await desk.see(one)
    await desk.stop()
    assert desk.endings == [(SENT, "")]
    assert desk.neighbours.items[0].template_version_id == one.template_version_id
