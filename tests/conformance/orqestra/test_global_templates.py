"""Both pages on the five built-in event types."""

import re

import pytest

from tests.conformance.orqestra.conftest import EMAIL, PHONE, Shop, event
from tests.conformance.orqestra.test_body import example

TYPES = ["global.info", "global.success", "global.warning", "global.alert", "global.error"]
VARIABLES = {"title": "Application Approved", "message": "Your loan application has been approved."}


@pytest.mark.parametrize("event_type", TYPES)
async def test_built_in(shop: Shop, event_type: str) -> None:
    """Works without a template of the tenant's own, on every channel, with title and message."""
    body = event(event_type, variables=VARIABLES)
    answer = await shop.tenant.trigger(body)
    assert await shop.decisions(answer) == {"EMAIL": "sent", "SMS": "sent", "PUSH": "sent"}
    sent = await shop.messages(answer)
    assert VARIABLES["title"] in sent["EMAIL"].subject
    for text in (sent["EMAIL"].html, sent["SMS"].text):
        assert VARIABLES["message"] in text
    kept = (await shop.inbox(body["payload"]["userId"]))[0]
    assert (kept["type"], kept["title"], kept["body"]) == (event_type, VARIABLES["title"], VARIABLES["message"])


async def test_each_looks_like_its_use(shop: Shop) -> None:
    """Information, success, warning, alert and error can be told apart at a glance."""
    colours = set()
    for event_type in TYPES:
        html = (await shop.messages(await shop.tenant.trigger(event(event_type, variables=VARIABLES))))["EMAIL"].html
        colours.add(tuple(sorted(set(re.findall(r"#[0-9a-f]{6}", html)))))
    assert len(colours) == len(TYPES)


async def test_recommended_shape(shop: Shop) -> None:
    """The body as it is printed."""
    body = example("sending-events", '"eventType": "global.success",')
    decisions = await shop.decisions(await shop.tenant.trigger(body))
    assert decisions == {"EMAIL": "sent", "SMS": "missing_phone", "PUSH": "sent"}
    assert (await shop.inbox("uuid"))[0]["title"] == "Application Approved"


async def test_title_and_message_are_enough(shop: Shop) -> None:
    """The minimum; and less than it is sent as well as can be, with no gap where a name was. No SMS without a word."""
    nothing = await shop.tenant.trigger(event("global.info", variables={}))
    assert set(await shop.messages(nothing)) == {"EMAIL"}
    assert (await shop.decisions(nothing))["SMS"] == "empty_content"
    for variables in (VARIABLES, {"message": "Only this."}):
        sent = await shop.messages(await shop.tenant.trigger(event("global.info", variables=variables)))
        assert sent["EMAIL"].subject
        assert "{{" not in sent["EMAIL"].html + sent["SMS"].text


async def test_platform_wide(bare_shop: Shop) -> None:
    """They resolve for every tenant; one of a tenant's own goes first on its channel, for that tenant alone."""
    ours = await bare_shop.template("global.info", "PUSH", "Ours: {{message}}", subject="{{title}}")
    await bare_shop.until_chosen("global.info", "PUSH", ours)
    body = event("global.info", variables=VARIABLES, payload={"userId": "u", "recipientEmail": EMAIL})
    decisions = await bare_shop.decisions(await bare_shop.tenant.trigger(body))
    assert decisions == {"EMAIL": "no_provider", "SMS": "missing_phone", "PUSH": "sent"}
    assert (await bare_shop.inbox("u"))[0]["body"] == f"Ours: {VARIABLES['message']}"


async def test_only_these_five(shop: Shop) -> None:
    """Another name with the same beginning is an event type like any other."""
    body = event("global.other", payload={"userId": "u", "recipientEmail": EMAIL, "recipientPhone": PHONE})
    assert await shop.decisions(await shop.tenant.trigger(body)) == {}
