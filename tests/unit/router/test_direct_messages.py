"""Direct messages: what they mean, and what becomes of their content."""

from clarion.common.v1 import event_pb2
from runtime.ids import new_id
from services.domain.reasons import Reason
from services.router import messages, people
from services.router.definitions import Definition
from services.router.messages import Plan
from services.router.plan import plan
from services.router.runs import run as runs
from tests.unit.router.catalog_desk import TENANT, Desk
from tests.unit.router.planning import EMAIL, PUSH, SMS, an_event, decisions, definition, everything, stored, subscriber

_LOW, _HIGH = "small", "x" * 5000


def _given(channel: event_pb2.Channel.ValueType = EMAIL, body: str = _LOW, **overrides: str) -> event_pb2.Event:
    content = event_pb2.DirectContent(subject="Hello", body=body)
    direct = event_pb2.DirectMessage(channel=channel, content_given=content, **overrides)
    event = an_event(direct=direct, variables=b'{"code": "1"}')
    event.tenant_id = TENANT
    return event


def _by_key(channel: event_pb2.Channel.ValueType, key: str = "receipt") -> event_pb2.Event:
    event = an_event(direct=event_pb2.DirectMessage(channel=channel, template_key=key))
    event.tenant_id = TENANT
    return event


def _desk() -> Desk:
    desk = Desk()
    desk.tenant()
    desk.providers(mail="EMAIL", text="SMS")
    desk.templates(
        {"channel": "EMAIL", "template_version_id": "v-mail"},
        {"channel": "EMAIL", "template_version_id": "v-correio", "locale": "pt"},
        {"channel": "SMS", "template_version_id": "v-text"},
        event_type="receipt",
    )
    # What the event's own type means must not matter.
    desk.templates({"channel": "SMS", "template_version_id": "v-other"}, event_type="order.confirmed")
    return desk


def _plan(
    event: event_pb2.Event,
    definition: Definition,
    *,
    sequence: int = 0,
) -> Plan:
    named = people.named_directly(event, stored())
    return plan(
        event,
        definition,
        named,
        everything(),
        now_us=1,
        sequence=messages.body_sequence(event, sequence),
    )


async def test_a_given_content_is_one_message_on_its_channel() -> None:
    """It carries the content and the sender, needs no template, and gets the channel's provider."""
    desk, event = _desk(), _given(sender_name="Acorn", sender_email="hi@acorn.example", reply_to="help@acorn.example")
    assert desk.catalog.at_hand(event) is None  # its type's meaning is another one
    found = _plan(event, await desk.catalog.of_event(event))
    assert decisions(found) == {EMAIL: ""}
    (delivery,) = found.deliveries
    assert (delivery.template_version_id, delivery.provider_id) == ("", "mail")
    assert delivery.direct == event.direct
    assert not desk.caller.asked


async def test_a_template_is_found_under_its_key() -> None:
    """Only the channel's versions count, the one in the recipient's language first."""
    desk, event = _desk(), _by_key(EMAIL)
    event.recipient.locale = "pt"
    found = _plan(event, await desk.catalog.of_event(event))
    assert [(one.channel, one.template_version_id) for one in found.deliveries] == [(EMAIL, "v-correio")]
    assert found.deliveries[0].HasField("direct")


async def test_a_channel_without_a_template_is_skipped_with_a_reason() -> None:
    """The key has templates, but none on this channel."""
    event = _by_key(PUSH)
    found = _plan(event, await _desk().catalog.of_event(event))
    assert decisions(found) == {PUSH: Reason.NO_ACTIVE_TEMPLATE}
    assert not found.deliveries


async def test_it_goes_to_no_endpoint() -> None:
    """Endpoints that subscribe to its type get nothing."""
    desk, event = _desk(), _given(SMS)
    desk.subscribers(subscriber("e1"))
    assert (await desk.ask()).subscribers
    meaning = await desk.catalog.of_event(event)
    assert not meaning.subscribers
    assert decisions(_plan(event, meaning)) == {SMS: ""}


async def test_a_large_content_is_referred_to() -> None:
    """As the rest of a body is, of which it is a part; what stands beside it stays."""
    desk, event = _desk(), _given(body=_HIGH, sender_name="Acorn")
    (delivery,) = _plan(event, await desk.catalog.of_event(event), sequence=7).deliveries
    assert delivery.body_reference.sequence == 7
    assert delivery.body_reference.size > len(_HIGH)
    assert (delivery.variables, delivery.direct.content_given.body) == (b"", "")
    assert delivery.direct.sender_name == "Acorn"


async def test_a_secret_stays_one() -> None:
    """Workers are told."""
    desk, event = _desk(), _given(SMS)
    event.is_secret = True
    (delivery,) = _plan(event, await desk.catalog.of_event(event)).deliveries
    assert delivery.is_secret


def _run(event: event_pb2.Event, body: event_pb2.BodyReference | None) -> runs.Run:
    return runs.Run(
        id=new_id(),
        event=event,
        state=runs.EXPANDING,
        revision=0,
        body=body,
        page_after="",
        page_upto="",
        recipients=0,
        sends=0,
        skips=0,
        due_us=0,
        crashes=0,
        updated_us=0,
        output=None,
    )


async def test_a_run_keeps_a_small_content_once() -> None:
    """It is not in the stored output of its pages; what is published has it."""
    desk, event = _desk(), _given(sender_name="Acorn")
    kept, reference = runs.without_large_body(event, 7)
    run = _run(kept, reference if reference.size else None)
    decision = runs.decide(run, _plan(kept, await desk.catalog.of_event(kept)), "", 1, 1)
    (delivery,) = decision.output.deliveries
    assert not delivery.direct.HasField("content_given")
    assert runs.with_body(delivery, run).direct == event.direct


async def test_a_run_refers_to_a_large_content() -> None:
    """The row has neither the content nor the deliveries it, but it is still known that there is one."""
    desk, event = _desk(), _given(body=_HIGH, sender_name="Acorn")
    kept, reference = runs.without_large_body(event, 7)
    assert kept.ByteSize() < 500
    run = _run(kept, reference)
    found = _plan(kept, await desk.catalog.of_event(kept), sequence=7)
    (delivery,) = runs.decide(run, found, "", 1, 1).output.deliveries
    published = runs.with_body(delivery, run)
    assert published.body_reference == reference
    assert (published.template_version_id, published.direct.sender_name) == ("", "Acorn")


def test_records_say_nothing_that_is_for_templates_alone() -> None:
    """A recipient's name and data are in the delivery, and not in the record of the plan."""
    recipient = event_pb2.Recipient(user_id="u", email="a@example.com", name="Ada", data=b'{"plan": "gold"}')
    event = an_event(audience=[event_pb2.Target(recipient=recipient)])
    event.ClearField("recipient")
    found = _plan(event, definition())
    assert {one.recipient.name for one in found.planned} == {""}
    assert {one.recipient.data for one in found.planned} == {b""}
    assert {one.recipient.email for one in found.planned} == {"a@example.com"}
    assert {one.recipient.name for one in found.deliveries} == {"Ada"}
