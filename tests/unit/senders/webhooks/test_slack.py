"""Messages for Slack."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.egress import urls
from services.senders.webhooks import slack


def _body(payload: Any, event_type: str = "order.paid") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(slack.body(event_type, json.dumps(payload).encode()))
    return found


def test_text_and_blocks_pass_through() -> None:
    """They are the message; nothing else of the payload is sent."""
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "*hi* & <b>"}}]
    assert _body({"text": "a <b> & c", "blocks": blocks, "other": 1}) == {"text": "a <b> & c", "blocks": blocks}
    assert _body({"text": "a"}) == {"text": "a"}
    assert _body({"blocks": blocks}) == {"blocks": blocks}


@pytest.mark.parametrize("payload", [{"text": ""}, {"text": 7}, {"blocks": []}, {"blocks": "x"}, {}])
def test_what_is_neither_becomes_the_default_message(payload: Any) -> None:
    """The type and the payload as JSON."""
    indented = json.dumps(payload, indent=2) if payload else "{}"
    assert _body(payload)["text"].startswith("*order.paid*\n```\n")
    assert _body(payload)["text"].count(indented.split("\n")[0])


def test_the_default_message() -> None:
    """Escaped for Slack, and without a way out of the code block."""
    payload = json.dumps({"a": "<!channel> & ```", "ü": [1]}, ensure_ascii=False).encode()
    assert json.loads(slack.body("a<b", payload)) == {
        "text": '*a&lt;b*\n```\n{\n  "a": "&lt;!channel&gt; &amp; \'\'\'",\n  "ü": [\n    1\n  ]\n}\n```'
    }


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=20), st.text(max_size=4000), max_size=4), st.text(min_size=1, max_size=100))
def test_the_default_message_is_bounded(payload: dict[str, str], event_type: str) -> None:
    """At most 3,000 characters, with its end, and no half of an escape."""
    text = slack.default_text(event_type, json.dumps(payload).encode())
    assert len(text) <= 3_000
    assert text.endswith("\n```")
    assert text.count("```") - event_type.count("```") == 2
    for piece in text.split("&")[1:]:
        assert piece.startswith(("amp;", "lt;", "gt;"))


def test_a_payload_that_is_nested_too_deeply_is_shown_as_it_is() -> None:
    """It cannot end the process."""
    deep = b'{"a":' * 5_000 + b"1" + b"}" * 5_000
    assert slack.default_text("t", deep).startswith('*t*\n```\n{"a":{"a":')


@pytest.mark.parametrize("answer", [b"ok", b"", b"fine", b"{}", b'{"ok":true}', b"[false]"])
def test_answers_that_say_yes(answer: bytes) -> None:
    """Slack says ok; others that take the same messages may say anything."""
    assert slack.refusal(answer) == ""


def test_an_answer_that_says_no() -> None:
    """As Slack's other methods do."""
    assert slack.refusal(b'{"ok":false,"error":"channel_not_found"}') == "channel_not_found"
    assert slack.refusal(b'{"ok":false}') == "not ok"


def test_the_path_is_a_password() -> None:
    """It is not shown."""
    assert slack.shown_url(urls.read("https://hooks.slack.com/services/T0/B0/abc")) == "https://hooks.slack.com/***"
