"""Documents of workflows: what they may say, and how faults name what is wrong."""

from typing import Any

import msgspec
import pytest

from clarion.common.v1 import event_pb2
from runtime.errors import ClarionError, Code
from services.router.workflows.document import parse, read
from services.router.workflows.steps import Delay, For, From, Send, Until, Webhook, Within
from tests.unit.router.workflows.building import condition, delay, document, parallel, raw, send, stop, wait

_ENDPOINT = "0190c000-0000-7000-8000-000000000001"
_RULE = {"==": [{"var": "contact.data.plan"}, "pro"]}


def _faults(*steps: Any, **more: Any) -> list[tuple[str, str]]:
    found, faults = read(raw(*steps, **more))
    assert (found is None) == bool(faults)
    return [(fault.field, fault.description) for fault in faults]


def test_a_document_with_all_there_is() -> None:
    """Each field is read into what the engine uses."""
    found = document(
        send("mail", name="Welcome", only_if=_RULE),
        {"id": "text", "kind": "send", "channel": "SMS", "template": {"key": "k", "version": 3}},
        delay("for", 60),
        wait("until", until={"time": "09:30", "timezone": "Africa/Nairobi", "days": ["mon", "fri"]}),
        wait("from", **{"from": {"path": "event.data.starts_at", "offset_s": -3600}}),
        wait("within", within={"from": "08:00", "to": "24:00", "days": ["sat"]}),
        condition("if", _RULE, [stop("s")], [{"id": "hook", "kind": "webhook", "endpoint_id": _ENDPOINT}]),
        parallel("all", [send("x", "PUSH")], [send("y")]),
        filters={"tags": ["vip", "vip", "new"], "segment_id": _ENDPOINT, "cooldown_s": 3600},
        category="news",
    )
    assert (found.tags, found.segment_id, found.cooldown_s, found.category) == (("vip", "new"), _ENDPOINT, 3600, "news")
    steps = found.by_id
    assert list(steps) == ["mail", "text", "for", "until", "from", "within", "if", "s", "hook", "all", "x", "y"]
    mail, text = found.sends[:2]
    assert (mail.name, mail.channel, mail.template_key, mail.template_version) == (
        "Welcome",
        event_pb2.CHANNEL_EMAIL,
        "order.paid",
        0,
    )
    assert text == Send("text", channel=event_pb2.CHANNEL_SMS, template_key="k", template_version=3)
    waits = [step.wait for step in steps.values() if isinstance(step, Delay)]
    assert waits == [
        For(60),
        Until(570, "Africa/Nairobi", frozenset({0, 4})),
        From(("event", "data", "starts_at"), -3600),
        Within(480, 1440, "recipient", frozenset({5})),
    ]
    assert steps["hook"] == Webhook("hook", endpoint_id=_ENDPOINT)
    assert found.first_send is mail
    assert found.template_keys == {"order.paid", "k"}
    assert found.places["hook"] == "steps[6].else[0]"
    assert found.places["y"] == "steps[7].branches[1][0]"


def test_what_is_stored_is_read_again_as_it_was() -> None:
    """Whatever blanks it had."""
    found = parse(b' {"steps" : [ {"id":"a", "kind":"stop"} ] } ')
    assert found.raw == b'{"steps":[{"id":"a","kind":"stop"}]}'
    assert parse(found.raw) == found


@pytest.mark.parametrize(
    ("steps", "fault"),
    [
        ([], ("steps", "must have at least one step")),
        ([3], ("steps[0]", "must be an object")),
        ([{"kind": "stop"}], ("steps[0].id", "is required")),
        ([stop("a b")], ("steps[0].id", 'must be letters, digits, "_" and "-"')),
        ([stop("a" * 65)], ("steps[0].id", "must have at most 64 characters")),
        ([stop("a"), stop("a")], ("steps[1].id", "is the same as that of steps[0]")),
        (
            [parallel("p", [stop("a")], [stop("p")])],
            ("steps[0].branches[1][0].id", "is the same as that of steps[0]"),
        ),
        ([stop("a", name="n" * 101)], ("steps[0].name", "must have at most 100 characters")),
        ([stop("a", name=3)], ("steps[0].name", "must be a text")),
        (
            [{"id": "a", "kind": "digest"}],
            ("steps[0].kind", "must be one of send, delay, condition, parallel, webhook, stop"),
        ),
        ([stop("a", to="x")], ("steps[0].to", "is no field of this object")),
        ([stop("a", only_if=True)], ("steps[0].only_if", "must be an object with one operator, such as")),
        ([stop("a", only_if={"no_such": [1]})], ("steps[0].only_if", "at /")),
        ([send("a", "WEBHOOK")], ("steps[0].channel", "must be one of EMAIL, SMS, PUSH")),
        ([send("a", "email")], ("steps[0].channel", "must be one of EMAIL, SMS, PUSH")),
        ([send("a", template=None)], ("steps[0].template", "is required")),
        ([send("a", template="k")], ("steps[0].template", "must be an object")),
        ([send("a", template={})], ("steps[0].template.key", "is required")),
        ([send("a", template={"key": "k\0"})], ("steps[0].template.key", "must be a text")),
        (
            [send("a", template={"key": "k", "version": 0})],
            ("steps[0].template.version", "must be a whole number from 1 to 2,147,483,647"),
        ),
        (
            [send("a", template={"key": "k", "version": True})],
            ("steps[0].template.version", "must be a whole number from 1 to 2,147,483,647"),
        ),
        ([wait("a")], ("steps[0]", "must have one of for_s, until, from, within")),
        ([delay("a", until={"time": "09:00"})], ("steps[0]", "must have one of for_s, until, from, within")),
        ([delay("a", 0)], ("steps[0].for_s", "must be a whole number from 1 to 31,536,000")),
        ([delay("a", 31_536_001)], ("steps[0].for_s", "must be a whole number from 1 to 31,536,000")),
        ([wait("a", for_s=1.5)], ("steps[0].for_s", "must be a whole number from 1 to 31,536,000")),
        ([wait("a", until={"time": "24:00"})], ("steps[0].until.time", 'must be a time of day, such as "09:30"')),
        ([wait("a", until={"time": "9:00"})], ("steps[0].until.time", 'must be a time of day, such as "09:30"')),
        (
            [wait("a", until={"time": "09:00", "timezone": "Mars"})],
            ("steps[0].until.timezone", "must be the IANA name"),
        ),
        ([wait("a", until={"time": "09:00", "days": []})], ("steps[0].until.days", "must be some of mon, tue")),
        ([wait("a", until={"time": "09:00", "days": ["Mon"]})], ("steps[0].until.days[0]", "is not allowed")),
        ([wait("a", **{"from": {"path": "secrets.x"}})], ("steps[0].from.path", "must name a field of contact")),
        ([wait("a", **{"from": {"path": "event"}})], ("steps[0].from.path", "must name a field of contact")),
        (
            [wait("a", within={"from": "17:00", "to": "09:00"})],
            ("steps[0].within.to", "must be later than from, at most 24:00"),
        ),
        ([condition("a", None, [])], ("steps[0].rule", "must be an object with one operator")),
        ([condition("a", _RULE, "x")], ("steps[0].then", "must be a list of steps")),  # type: ignore[arg-type]
        ([parallel("a")], ("steps[0].branches", "must be from 1 to 10 lists of steps")),
        ([parallel("a", [])], ("steps[0].branches", "must have a step each")),
        ([parallel("a", *[[stop(f"s{n}")] for n in range(11)])], ("steps[0].branches", "must be from 1 to 10")),
        (
            [{"id": "a", "kind": "webhook", "endpoint_id": "ep_1"}],
            ("steps[0].endpoint_id", "must be a UUID in lower case"),
        ),
        ([stop(f"s{n}") for n in range(51)], ("steps", "must be at most 50, those within steps included")),
    ],
)
def test_faults_name_the_field(steps: list[Any], fault: tuple[str, str]) -> None:
    """And say what it must be."""
    (field, description) = _faults(*steps)[-1]
    assert (field, description[: len(fault[1])]) == fault


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ({"filters": []}, ("filters", "must be an object")),
        ({"filters": {"tag": "a"}}, ("filters.tag", "is no field of this object")),
        ({"filters": {"tags": "a"}}, ("filters.tags", "must be a list of at most 20")),
        ({"filters": {"tags": ["a" * 65]}}, ("filters.tags[0]", "is not allowed")),
        ({"filters": {"segment_id": "x"}}, ("filters.segment_id", "must be a UUID in lower case")),
        ({"filters": {"cooldown_s": -1}}, ("filters.cooldown_s", "must be a whole number from 0 to 31,536,000")),
        ({"category": "c" * 65}, ("category", "must have at most 64 characters")),
        ({"version": 1}, ("version", "is no field of this object")),
    ],
)
def test_faults_of_the_rest(more: Any, fault: tuple[str, str]) -> None:
    """As those of steps."""
    assert _faults(stop("a"), **more) == [fault]


@pytest.mark.parametrize(
    ("sent", "description"),
    [
        (b"", "must be JSON"),
        (b"{", "must be JSON"),
        (b"\xff", "must be JSON"),
        (b"[]", "must be an object"),
        (b'{"steps":' + b"[" * 3000 + b"]" * 3000 + b"}", "must be"),
        (b'{"a":' + b"[" * 80 + b"]" * 80 + b"}", "must be nested at most 64 levels deep"),
        (b'{"a":"' + b"x" * 70_000 + b'"}', "must have at most 64 KiB"),
    ],
)
def test_what_is_no_document(sent: bytes, description: str) -> None:
    """It has one fault, which has no field."""
    found, (fault,) = read(sent)
    assert (found, fault.field, fault.step) == (None, "", "")
    assert fault.description.startswith(description)


def test_lists_are_nested_four_levels_deep() -> None:
    """And no deeper."""

    def nested(levels: int) -> dict[str, Any]:
        inner = [stop("s")] if levels == 1 else [nested(levels - 1)]
        return condition(f"c{levels}", _RULE, inner)

    assert _faults(nested(3)) == []
    assert _faults(nested(4)) == [
        ("steps[0].then[0].then[0].then[0].then", "must be nested at most 4 levels deep"),
    ]


def test_the_error_names_the_steps_by_their_ids() -> None:
    """In its sentence; its fields are complete."""
    steps = [send("mail", template={}), delay("d", 0), *[send(f"s{n}", "FAX") for n in range(5)]]
    with pytest.raises(ClarionError) as caught:
        document(*steps)
    assert caught.value.code is Code.INVALID
    assert caught.value.detail.startswith(
        "document.steps[0].template.key (step 'mail') is required; document.steps[1].for_s (step 'd') must be"
    )
    assert [field for field, _ in caught.value.fields] == [
        "document.steps[0].template.key",
        "document.steps[1].for_s",
        *(f"document.steps[{n}].channel" for n in range(2, 7)),
    ]


def test_no_document_has_more_than_a_hundred_faults() -> None:
    """However many fields nobody knows."""
    found, faults = read(msgspec.json.encode({f"f{n}": 1 for n in range(500)}))
    assert (found, len(faults)) == (None, 100)


@pytest.mark.parametrize(
    ("steps", "more", "is_immediate"),
    [
        ([send("a"), parallel("p", [send("b")], [stop("c")])], {}, True),
        ([send("a")], {"filters": {"tags": ["x"]}}, True),
        ([send("a")], {"filters": {"cooldown_s": 1}}, False),
        ([parallel("p", [delay("b")])], {}, False),
        ([condition("c", _RULE, [])], {}, False),
        ([send("a", only_if=_RULE)], {}, False),
    ],
)
def test_which_documents_need_no_memory(steps: list[Any], more: Any, *, is_immediate: bool) -> None:
    """Those that one look carries out, whenever it is."""
    assert document(*steps, **more).is_immediate is is_immediate
