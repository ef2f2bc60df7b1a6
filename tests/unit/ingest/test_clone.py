"""A replay's event: the first one's content, for all or some of its recipients."""

from clarion.common.v1 import event_pb2
from services.domain import audience
from services.domain.delivery_ids import CURRENT_SCHEME, scheme_of
from services.ingest.replays.clone import clone_event, clone_for_endpoint, replayed_id

_ADA = event_pb2.Target(recipient=event_pb2.Recipient(user_id="ada", email="ada@example.org"))
_MAIL = event_pb2.Target(recipient=event_pb2.Recipient(email="somebody@example.org"))
_STORED = event_pb2.Target(recipient_id="bob")
_GROUP = event_pb2.Target(group="team")


def _first(*targets: event_pb2.Target) -> event_pb2.Event:
    return event_pb2.Event(id="e1", audience=targets, due_at_us=5, dedupe_key=b"k", scope="s")


def _narrowed(first: event_pb2.Event, *destinations: str) -> list[event_pb2.Target]:
    event = clone_event(first, "e2", 9, (), destinations)
    return list(event.audience) if event is not None else []


def test_the_same_audience() -> None:
    """All targets; at once, and never a duplicate."""
    first = _first(_ADA, _GROUP)
    event = clone_event(first, "e2", 9)
    assert event == event_pb2.Event(
        id="e2",
        audience=first.audience,
        scope="s",
        replay_of="e1",
        accepted_at_us=9,
        id_scheme=CURRENT_SCHEME,
    )


def test_an_event_of_an_earlier_version_keeps_its_locale() -> None:
    """It was in the body; whoever reads the replay, an event of today, does not look there."""
    first = event_pb2.Event(id="e1", recipient=event_pb2.Recipient(user_id="u"), payload_extra=b'{"locale":"pt-BR"}')
    event = clone_event(first, "e2", 9)
    assert event is not None
    assert (event.recipient.locale, first.recipient.locale) == ("pt-BR", "")


def test_a_direct_message_has_one_channel() -> None:
    """A replay on another one sends nothing; on its own it says again what it says."""
    first = _first(_ADA)
    first.direct.channel, first.direct.template_key = event_pb2.CHANNEL_EMAIL, "welcome"
    event = clone_event(first, "e2", 9, [event_pb2.CHANNEL_SMS, event_pb2.CHANNEL_EMAIL])
    assert event is not None
    assert (event.direct, list(event.channels)) == (first.direct, [])
    assert clone_event(first, "e2", 9, [event_pb2.CHANNEL_SMS]) is None


def test_an_endpoint_gets_an_event_again_without_its_workflows() -> None:
    """They were started by the first one; nobody is left for whom they could be."""
    first = _first(_ADA)
    first.workflows.workflows.add(workflow_id="w", version=1)
    first.id_scheme = scheme_of(first)
    event = clone_for_endpoint(first, "e2", 9, "endpoint")
    assert (list(event.endpoints.endpoint_ids), list(event.audience)) == (["endpoint"], [])
    assert (event.HasField("workflows"), event.id_scheme) == (False, CURRENT_SCHEME)


def test_described_people_keep_their_addresses() -> None:
    """And stored ones their ids; a group's member is named by their id."""
    first = _first(_ADA, _STORED, _GROUP)
    assert _narrowed(first, "ada") == [_ADA]
    assert [target for target in _narrowed(first, "bob", "eve") if target.WhichOneof("target")] == [
        _STORED,
        event_pb2.Target(recipient_id="eve"),
    ]


def test_a_person_without_an_id_keeps_their_place() -> None:
    """By their place they are known in the first event and in its replays."""
    first = _first(_ADA, _MAIL)
    [nobody, mail] = _narrowed(first, "#1")
    assert not nobody.WhichOneof("target")
    assert audience.destination(mail.recipient, 1) == audience.destination(_MAIL.recipient, 1) == "#1"
    assert mail == _MAIL


def test_an_id_may_look_like_a_place() -> None:
    """It is told from the recipient at that place, and a member of a group with it is named by it."""
    odd = event_pb2.Target(recipient_id="#0")
    assert _narrowed(_first(_MAIL, odd), "#0") == [_MAIL]
    assert [one for one in _narrowed(_first(_MAIL, odd), "##0") if one.WhichOneof("target")] == [odd]
    assert [one for one in _narrowed(_first(_MAIL, _GROUP), "##0") if one.WhichOneof("target")] == [odd]


def test_nobody_is_left() -> None:
    """Then there is nothing to send."""
    assert clone_event(_first(event_pb2.Target()), "e2", 9) is None


def test_the_parts_of_an_event_have_ids_of_their_own() -> None:
    """By channels and recipients; always the same."""
    replay = "01a22758-a2b1-7042-a4ae-a2560fdcc733"
    parts = [(), ((1,), ("ada",)), ((1,), ("ada", "bob")), ((2,), ("ada",))]
    ids = [replayed_id(replay, "e1", part) for part in parts]
    assert len(set(ids)) == len(parts)
    assert ids == [replayed_id(replay, "e1", part) for part in parts]
