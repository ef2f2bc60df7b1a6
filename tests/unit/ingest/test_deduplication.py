"""Which events are duplicates, by which keys; and that keys of earlier versions stay good."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from services.ingest.deduplication import caller_key, content_key, payload_key
from services.ingest.fingerprint import Fingerprints
from services.ingest.intake import event_of
from services.ingest.validate import check_sent

_TENANT = "0192d3a4-0000-7000-8000-000000000001"
_SMS, _EMAIL = event_pb2.CHANNEL_SMS, event_pb2.CHANNEL_EMAIL
_EVERYBODY = event_pb2.Target(everybody=event_pb2.Everybody())
_FINGERPRINTS = Fingerprints([b"k" * 32])


def _new(**fields: object) -> ingest_pb2.NewEvent:
    defaults: dict[str, object] = {"event_type": "a.b"}
    if "audience" not in fields:
        defaults["recipient"] = event_pb2.Recipient(user_id="u")
    return ingest_pb2.NewEvent(**{**defaults, **fields})  # type: ignore[arg-type]


def _event(tenant_id: str = "t", **fields: object) -> event_pb2.Event:
    return event_of(tenant_id, _new(**fields))


def _sent(**fields: object) -> event_pb2.Event:
    new = _new(**fields)
    check_sent(new)
    return event_of("t", new)


# Made by the version before this file: (fields, content key, payload key, fingerprint under the key "kkk…").
_ADA = event_pb2.Recipient(user_id="u1", email="ada@example.org", phone="+254712345678")
_EARLIER = [
    pytest.param(
        {"recipient": event_pb2.Recipient(user_id="u1")},
        "db8e67365ab4b20462e589b11e2da186f72cb1cc3f7d59900c063ee7e264ac06",
        "c03ac395d2ee1ec50a809f592fb8c825a5935861d8dd74464fa0597ad44fbff2",
        "b1e49ec9a3a4f27645b707aec3e9318d",
        id="the least",
    ),
    pytest.param(
        {
            "recipient": _ADA,
            "caller_event_id": "o-1",
            "variables": b'{"b":{"d":1,"c":2},"a":1e15}',
            "payload_extra": b'{"zip":"0150"}',
            "channels": [3, 1, 3],
            "trace_id": "t",
        },
        "cf29f4837faf052303bc1f1d166b793365137ad81eb88735b7d8e3989bf6fcd6",
        "710211acd701d1056d0bd4062b15262bf2257e515ba1b8e993ff6f1876055dba",
        "b1e49ec9a8c299494f5659e4a198879e",
        id="every field",
    ),
    pytest.param(
        {"recipient": _ADA, "payload_extra": b'{"locale":"pt_BR"}', "variables": b'{"locale":"de"}'},
        "7efda6b8161a2eae326e42480f92a0c279d24f1f0b7379685d6f0899a23562e5",
        "47e5c7acc65bdfec6d96f5aa65ee33f04e73193c690961607428d072661773fd",
        "b1e49ec913c2eb3ba4c0e433a407e397",
        id="a locale in the payload",
    ),
    pytest.param(
        {"recipient": _ADA, "variables": b'{"locale":"de","a":1}'},
        "b944314b119f57fada8c39b5a1af3fb44e249a33b2b978054d3fe1ad0a0ed059",
        "66f727833ae018044b87f8e3aca516b9edbb3162322510d43519413bf96673e2",
        "b1e49ec9fc269e3a6ff498e6dc5ec9ca",
        id="a locale in the variables",
    ),
    pytest.param(
        {"recipient": _ADA, "payload_extra": b'{"locale":7}', "variables": b'{"a":"\\"locale\\""}'},
        "cf8c9a81829c6d27b88160748c9d450e7a62a4b50369c234264fe32dd0ef7b98",
        "b33b0787c60516ab607d6e6617dead0b855da60237cebf77c00518f63d3ed63e",
        "b1e49ec95b6063c8249506ca6cb61d4d",
        id="a locale that is none",
    ),
]


@pytest.mark.parametrize(("fields", "by_content", "by_payload", "fingerprint"), _EARLIER)
def test_keys_of_earlier_versions_stay_good(
    fields: dict[str, object], by_content: str, by_payload: str, fingerprint: str
) -> None:
    """A call that is repeated after an upgrade is still a duplicate, and still the same."""
    event = event_of(_TENANT, _new(**{"event_type": "order.confirmed", **fields}))
    assert content_key(event).hex() == by_content
    assert payload_key(event).hex() == by_payload
    assert _FINGERPRINTS.first(event).fingerprint.hex() == fingerprint


def test_a_callers_key_of_an_earlier_version_stays_good() -> None:
    """The key of a tenant and of what it named."""
    assert caller_key(_TENANT, "order-1").hex() == "f2633f23a925bf1af52958f126e392e38028c602e5b81b224862594b530eef95"


def test_a_locale_may_be_said_in_either_way() -> None:
    """The dialect that moves it out of the body sends the same event as one that leaves it there."""
    moved = event_pb2.Recipient(user_id="u", locale="pt-BR")
    left, said = (
        _event(payload_extra=b'{"locale":"pt_br"}'),
        _event(recipient=moved, payload_extra=b'{"locale":"pt_br"}'),
    )
    assert content_key(left) == content_key(said)
    assert payload_key(left) == payload_key(said)
    other = event_pb2.Recipient(user_id="u", locale="de")
    assert content_key(_event(recipient=other, payload_extra=b'{"locale":"pt_br"}')) != content_key(left)


def test_the_order_of_keys_makes_no_other_event() -> None:
    """The same content with keys in another order is a repeat, also inside a list."""
    one, other = _sent(variables=b'{"a":1,"b":[{"c":2,"d":3}]}'), _sent(variables=b'{ "b":[{"d":3,"c":2}], "a":1 }')
    assert content_key(one) == content_key(other)
    assert payload_key(one) == payload_key(other)
    one, other = _sent(payload_extra=b'{"a":1,"b":2}'), _sent(payload_extra=b'{"b":2,"a":1}')
    assert content_key(one) == content_key(other)
    assert payload_key(one) == payload_key(other)


def test_the_order_of_targets_makes_no_other_event() -> None:
    """An audience is a set, and so are its exclusions."""
    people = [event_pb2.Target(recipient_id=text) for text in "abc"]
    one = _event(audience=[_EVERYBODY, *people], exclusions=people)
    other = _event(audience=[*reversed(people), _EVERYBODY], exclusions=reversed(people))
    assert content_key(one) == content_key(other)


def test_one_described_person_is_one_event_in_either_field() -> None:
    """Recipient is short for an audience of one."""
    person = event_pb2.Recipient(user_id="u")
    assert content_key(_event(audience=[event_pb2.Target(recipient=person)])) == content_key(_event(recipient=person))


_BY_PAYLOAD: list[dict[str, object]] = [
    {},
    {"event_type": "a.c"},
    {"recipient": event_pb2.Recipient(user_id="u", email="e")},
    {"recipient": event_pb2.Recipient(user_id="u", phone="e")},
    {"recipient": event_pb2.Recipient(user_id="u", locale="de")},
    {"recipient": event_pb2.Recipient(user_id="u", timezone="Europe/Berlin")},
    {"payload_extra": b'{"a":1}'},
    {"audience": []},
    {"audience": [_EVERYBODY]},
    {"audience": [event_pb2.Target(group="g")]},
    {"audience": [event_pb2.Target(recipient_id="g")]},
    {"audience": [event_pb2.Target(group="g"), event_pb2.Target(recipient_id="h")]},
    {"audience": [event_pb2.Target(group="g")], "exclusions": [event_pb2.Target(recipient_id="h")]},
    {"audience": [event_pb2.Target(group="g")], "exclusions": [event_pb2.Target(group="h")]},
    {"audience": [], "to_endpoints": ingest_pb2.ToEndpoints(endpoint_id=_TENANT)},
    {"audience": [], "to_endpoints": ingest_pb2.ToEndpoints(endpoint_id=_TENANT.replace("1", "2"))},
    {"audience": [], "to_endpoints": ingest_pb2.ToEndpoints(subscribers=ingest_pb2.Subscribers())},
    {"recipient": event_pb2.Recipient(user_id="u", name="Ada")},
    {"recipient": event_pb2.Recipient(user_id="u", data=b'{"a":1}')},
    {"direct": event_pb2.DirectMessage(channel=_EMAIL, template_key="welcome")},
    {"direct": event_pb2.DirectMessage(channel=_EMAIL, template_key="goodbye")},
]
_BY_THE_REST: list[dict[str, object]] = [
    {"caller_event_id": "1"},
    {"variables": b'{"a":1}'},
    {"channels": [_EMAIL]},
    {"scope": "live"},
    {"due_at_us": 1},
    {"metadata": {"a": "b"}},
    {"metadata": {"a": "c"}},
    {"metadata": {"a": "b", "c": "d"}},
]


def _all(fields: list[dict[str, object]]) -> list[event_pb2.Event]:
    return [_event(tenant, **one) for one in fields for tenant in ("t", "s")]


def test_what_makes_events_differ() -> None:
    """Tenant, type, ids, people, data, channels and time all count; of the payload key, the rest does not."""
    every = _all(_BY_PAYLOAD + _BY_THE_REST)
    assert len({content_key(event) for event in every}) == len(every)
    assert len({payload_key(event) for event in every}) == 2 * len(_BY_PAYLOAD)
    assert {payload_key(event) for event in _all(_BY_THE_REST)} == {payload_key(event) for event in _all([{}])}
    marks = {_FINGERPRINTS.first(event).fingerprint for event in every}
    assert len(marks) == len(every) / 2  # the tenant is not the event's content


def test_scopes_and_kinds_of_keys_never_collide() -> None:
    """Caller keys and contents cannot collide, nor can two kinds or two scopes."""
    every = _all(_BY_PAYLOAD + _BY_THE_REST)
    scopes = ["", "live", "scope", "\x1f"]
    contents = {content_key(event, scope) for event in every for scope in scopes}
    payloads = {payload_key(event, scope) for event in every for scope in scopes}
    assert len(contents) == len(every) * len(scopes)
    assert len(payloads) == 2 * len(_BY_PAYLOAD) * len(scopes)
    spelled = ["k", "scope", "content", "seed", "content\0t\0a.b", *(key.hex() for key in contents)]
    callers = {caller_key(tenant, text, scope) for text in spelled for tenant in ("t", "s") for scope in scopes}
    assert len(callers) == 2 * len(spelled) * len(scopes)
    assert not callers & contents
    assert not callers & payloads
    assert not contents & payloads


def test_who_subscribes_makes_no_other_event() -> None:
    """The caller sent the same; the order of its labels does not count either."""
    to = ingest_pb2.ToEndpoints(subscribers=ingest_pb2.Subscribers())
    first, later = [_event(audience=[], to_endpoints=to, metadata={"a": "1", "b": "2"}) for _ in range(2)]
    later.endpoints.endpoint_ids.append(_TENANT)
    later.metadata.clear()
    later.metadata["b"], later.metadata["a"] = "2", "1"
    assert content_key(first) == content_key(later)
    assert payload_key(first) == payload_key(later)


def test_keys_of_endpoints_are_apart() -> None:
    """Of two endpoints, of none, and of a scope that is spelled like one."""
    keys = [
        caller_key("t", "k"),
        caller_key("t", "k", endpoint_id="e1"),
        caller_key("t", "k", endpoint_id="e2"),
        caller_key("t", "k", "e1"),
        caller_key("t", "k", "e1", endpoint_id="e1"),
    ]
    assert len(set(keys)) == len(keys)


@given(st.text(), st.text(), st.text(), st.text())
def test_neighbouring_fields_do_not_run_together(a: str, b: str, c: str, d: str) -> None:
    """Moving a character from one field to the next gives another key."""
    one, other = _event(event_type=a, caller_event_id=b), _event(event_type=c, caller_event_id=d)
    assert (content_key(one) == content_key(other)) is ((a, b) == (c, d))
    assert (caller_key("t", a, b) == caller_key("t", c, d)) is ((a, b) == (c, d))
