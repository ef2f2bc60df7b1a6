"""What templates of workflows and direct messages find of person and channel, and templates that are not stored."""

import pytest

from services.render.frames import (
    EMAIL,
    OK,
    PUSH,
    RENDER,
    SMS,
    Contact,
    Content,
    Task,
    TemplateSource,
    WorkerLimits,
    published,
)
from services.render.worker import TaskRunner
from services.render.workflow_data import contact_variables

_LIMITS = WorkerLimits(cpu_s=60.0, output=100_000, memory=0)
_ADA = Contact(
    "user_7", "ada@example.org", "+254712345678", "Ada King Lovelace", "pt-BR", "Africa/Nairobi", b'{"company":"Acorn"}'
)


def _rendered(
    source: TemplateSource, variables: bytes = b"{}", fallback: bytes = b"", contact: Contact | None = _ADA
) -> Content:
    answer = TaskRunner(_LIMITS).answer(Task(RENDER, "", source, variables, fallback, contact))
    assert answer.outcome == OK, answer.detail
    return answer.content


def _text(body: str, variables: bytes = b"{}", fallback: bytes = b"", contact: Contact | None = _ADA) -> str:
    return _rendered(TemplateSource(SMS, "", body), variables, fallback, contact).text


def test_each_field_has_its_name() -> None:
    """What the tenant stores besides has one, too."""
    assert contact_variables(_ADA, {"company": "Acorn", "address": {"city": "Nairobi"}}) == {
        "contact_external_id": "user_7",
        "contact_email": "ada@example.org",
        "contact_phone": "+254712345678",
        "contact_name": "Ada King Lovelace",
        "contact_first_name": "Ada",
        "contact_last_name": "King Lovelace",
        "contact_locale": "pt-BR",
        "contact_timezone": "Africa/Nairobi",
        "contact_company": "Acorn",
        "contact_address": {"city": "Nairobi"},
    }


def test_names_that_the_tenant_stores_are_not_guessed() -> None:
    """A family name may come first."""
    found = contact_variables(Contact(name="Lovelace Ada"), {"first_name": "Ada", "last_name": "Lovelace"})
    assert (found["contact_first_name"], found["contact_last_name"]) == ("Ada", "Lovelace")


def test_a_field_of_the_contact_is_never_another_one() -> None:
    """Data of the same name do not replace it."""
    assert contact_variables(Contact(email="a@example.org"), {"email": "eve@example.org"})["contact_email"] == (
        "a@example.org"
    )
    assert contact_variables(Contact(), {}) == {f"contact_{name}": "" for name in _NAMES}


_NAMES = ("first_name", "last_name", "external_id", "email", "phone", "name", "locale", "timezone")


def test_templates_read_event_source_and_contact() -> None:
    """Under the names that callers know them by; what the caller sends as a variable of that name comes first."""
    body = "{{contact_first_name}}, {{contact_company}}: {{event_data.order_id}} ({{source.type}}), {{code}}"
    extra = b'{"event_data":{"order_id":"ORD-1"},"source":{"type":"web_signup"}}'
    assert _text(body, b'{"code":"A1"}', extra) == "Ada, Acorn: ORD-1 (web_signup), A1"
    assert _text(body, b'{"code":"A1","contact_first_name":"Dr. King"}', extra).startswith("Dr. King, ")
    assert _text("{{contact_first_name}}", b"{}", b'{"contact_first_name":"Dr. King"}') == "Dr. King"
    assert _text("{{contact_first_name}}|{{code}}", b'{"code":"A1"}', contact=None) == "|A1"


def test_a_channel_has_variables_of_its_own() -> None:
    """They come before the others, on this channel alone, and only where templates know the contact."""
    variables = b'{"code":"all","name":"Ada"}'
    extra = b'{"channel_variables":{"sms":{"code":"4821"},"email":{"code":"9377"}}}'
    body = "{{code}} {{name}}"
    assert _text(body, variables, extra) == "4821 Ada"
    assert _rendered(TemplateSource(EMAIL, "{{code}}", "<p>{{name}}</p>"), variables, extra).subject == "9377"
    assert _rendered(TemplateSource(PUSH, "{{code}}", body), variables, extra).title == "all"
    assert _text(body, variables, extra, contact=None) == "all Ada"


@pytest.mark.parametrize("value", [b"1", b'["sms"]', b'{"sms":"x"}', b'{"sms":null}', b"{}"])
def test_channel_variables_that_are_none(value: bytes) -> None:
    """They change nothing."""
    assert _text("{{code}}", b'{"code":"all"}', b'{"channel_variables":' + value + b"}") == "all"


def test_a_contacts_language_and_time_zone_are_used() -> None:
    """Unless the event says others."""
    body, moment = "{{formatDate when}}", b'{"when":"2026-11-30T22:30:00Z"'
    theirs = _text(body, moment + b"}")
    assert theirs == _text(body, moment + b',"locale":"pt-BR","timezone":"Africa/Nairobi"}', contact=None)
    assert theirs != _text(body, moment + b"}", contact=None)
    said = moment + b',"locale":"de","timezone":"UTC"}'
    assert _text(body, said) == _text(body, said, contact=None) != theirs


def test_data_that_is_no_object_fails_that_message_alone() -> None:
    """As variables that are none do."""
    answer = TaskRunner(_LIMITS).answer(
        Task(RENDER, "", TemplateSource(SMS, "", "Hi"), b"{}", b"", Contact(data=b"[1]"))
    )
    assert (answer.outcome, answer.detail) == ("template_error", "contact is not a JSON object")


def test_an_emails_own_text_part() -> None:
    """It is written by the caller; without one it is made of the body; without a body it is all."""
    source = TemplateSource(EMAIL, "Hi {{name}}", "<p>Hi {{name}}</p>", text="Hello {{name}}\n")
    content = _rendered(source, b'{"name":"Tom & Ada"}')
    assert (content.subject, content.html, content.text) == (
        "Hi Tom & Ada",
        "<p>Hi Tom &amp; Ada</p>",
        "Hello Tom & Ada\n",
    )
    assert _rendered(TemplateSource(EMAIL, "Hi", "<p>Hi <b>Ada</b></p>")).text == "Hi Ada"
    only = _rendered(TemplateSource(EMAIL, "Hi", "", text="Hello"))
    assert (only.html, only.text, only.is_empty) == ("", "Hello", False)


def test_a_fault_in_the_text_part_is_named() -> None:
    """As in any other part."""
    answer = TaskRunner(_LIMITS).answer(Task(RENDER, "", TemplateSource(EMAIL, "", "<p>Hi</p>", text="{{#if}}")))
    assert [fault.field for fault in answer.faults] == ["text"]


def test_a_stored_version_is_published_as_before() -> None:
    """Processes of an earlier version write the same value, so they do not correct each other for ever."""
    assert published(TemplateSource(SMS, "s", "b", "p", "l", {"x": "y"}, "pt")) == b'[2,"s","b","p","l",{"x":"y"},"pt"]'
