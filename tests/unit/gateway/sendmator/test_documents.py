"""Steps of workflows in this API's form and in that of stored documents."""

import json
from typing import Any

import pytest

from gateway.dialects.sendmator import bodies
from gateway.dialects.sendmator.errors import ApiError
from gateway.dialects.sendmator.workflows import documents

# As the published page on listing workflows has it.
STEPS = [
    {
        "id": "step-1",
        "step_order": 1,
        "channel_type": "email",
        "step_name": "Welcome Email",
        "is_active": True,
        "configuration": {"template_id": "welcome-template", "delay_minutes": 0},
    },
    {
        "id": "step-2",
        "step_order": 2,
        "channel_type": "sms",
        "step_name": "Day 1 SMS",
        "is_active": True,
        "configuration": {"template_id": "day1-sms", "delay_minutes": 1440},
    },
]


def made(**body: Any) -> dict[str, Any]:
    """Return the document of a body."""
    return dict(json.loads(documents.document_of(bodies.parse(json.dumps(body).encode()))))


def test_the_published_steps_come_back_as_they_were_written() -> None:
    """Through the stored document, and whatever order they were sent in."""
    for steps in (STEPS, STEPS[::-1]):
        document = made(steps=steps)
        assert documents.shown(json.dumps(document).encode())["steps"] == STEPS


def test_each_wait_is_counted_from_the_step_before() -> None:
    """Not from the beginning."""
    steps = [{**STEPS[1], "id": f"s{number}", "step_order": number} for number in (1, 2, 3)]
    shown = documents.shown(json.dumps(made(steps=steps)).encode())["steps"]
    assert [one["configuration"]["delay_minutes"] for one in shown] == [1440, 1440, 1440]


def test_a_wait_is_a_step_of_its_own() -> None:
    """Before the message that it delays."""
    steps = made(steps=STEPS)["steps"]
    assert [(one["id"], one["kind"]) for one in steps] == [
        ("step-1", "send"),
        ("step-2-delay", "delay"),
        ("step-2", "send"),
    ]
    assert steps[1]["for_s"] == 86_400
    assert steps[0]["template"] == {"key": "welcome-template"}


def test_a_step_that_is_not_active_is_stored_and_passed_over() -> None:
    """With its wait; it is shown again as it was."""
    steps = [{**STEPS[1], "step_order": 1, "is_active": False}]
    document = made(steps=steps)
    assert all(one["only_if"] == {"!": [True]} for one in document["steps"])
    assert documents.shown(json.dumps(document).encode())["steps"] == steps


def test_filters() -> None:
    """Under their names here and there."""
    filters = {"tags": ["new_users"], "segment_id": "s", "cooldown_seconds": 60}
    document = made(steps=STEPS, filters=filters)
    assert document["filters"] == {"tags": ["new_users"], "segment_id": "s", "cooldown_s": 60}
    assert documents.shown(json.dumps(document).encode())["filters"] == filters


def test_a_change_keeps_what_it_does_not_name() -> None:
    """Filters without steps, and steps without filters."""
    stored = json.dumps(made(steps=STEPS, filters={"tags": ["a"]}, category="news")).encode()
    changed = json.loads(documents.document_of(bodies.parse(b'{"filters":{"tag":"b"}}'), stored))
    assert (changed["filters"], changed["category"], len(changed["steps"])) == ({"tags": ["b"]}, "news", 3)


def test_a_document_is_taken_as_it_is() -> None:
    """With steps that this API's own form cannot say; their messages are shown in their order."""
    document = {
        "steps": [
            {"id": "wait", "kind": "delay", "for_s": 600},
            {
                "id": "if",
                "kind": "condition",
                "rule": {"==": [{"var": "contact.tags"}, "a"]},
                "then": [{"id": "a", "kind": "send", "channel": "EMAIL", "template": {"key": "t", "version": 3}}],
                "else": [
                    {
                        "id": "both",
                        "kind": "parallel",
                        "branches": [[{"id": "b", "kind": "send", "channel": "PUSH", "template": {"key": "u"}}]],
                    }
                ],
            },
        ]
    }
    assert made(document=document) == document
    shown = documents.shown(json.dumps(document).encode())
    assert shown["document"] == document
    assert [(one["id"], one["channel_type"]) for one in shown["steps"]] == [("a", "email"), ("b", "push")]
    assert shown["steps"][0]["configuration"] == {"template_id": "t", "delay_minutes": 0, "template_version": 3}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "steps is required"),
        ({"steps": []}, "steps must be a list of 1 to 25 objects"),
        ({"steps": [5]}, "steps[0] must be an object"),
        (
            {"steps": [{"channel_type": "whatsapp", "configuration": {"template_id": "t"}}]},
            "channel_type of step step-1 must be one of email, sms, push; WhatsApp is not available on this server",
        ),
        (
            {"steps": [{"channel_type": "fax", "configuration": {"template_id": "t"}}]},
            "channel_type of step step-1 must be one of email, sms, push",
        ),
        ({"steps": [{"channel_type": "email"}]}, "configuration.template_id of step step-1 is required"),
    ],
)
def test_what_is_wrong_names_the_step(body: dict[str, Any], sentence: str) -> None:
    """What a document itself may not say is the router's to refuse."""
    with pytest.raises(ApiError) as caught:
        made(**body)
    assert caught.value.message == sentence
