"""Fingerprints, with which repeats are compared."""

import hashlib
import os

import pytest

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from services.ingest.deduplication import content
from services.ingest.fingerprint import Fingerprints
from services.ingest.intake import event_of
from services.ingest.validate import check_sent

_OLD, _NEW = os.urandom(32), os.urandom(32)
_SMS, _PUSH = event_pb2.CHANNEL_SMS, event_pb2.CHANNEL_PUSH


def _event(**fields: object) -> event_pb2.Event:
    defaults: dict[str, object] = {
        "event_type": "order.confirmed",
        "caller_event_id": "o-1",
        "recipient": event_pb2.Recipient(user_id="u1", email="ada@example.org", phone="+254712345678"),
        "variables": b'{"a": 1, "b": {"d": 2, "c": 3}}',
        "payload_extra": b'{"locale": "de"}',
        "channels": [_SMS, _PUSH],
    }
    event = ingest_pb2.NewEvent(**{**defaults, **fields})  # type: ignore[arg-type]
    check_sent(event)
    return event_of("t", event)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"variables": b'{"b":{"c":3,"d":2},\n"a":1}'},
        {"channels": [_PUSH, _SMS, _PUSH]},
        {"trace_id": "another", "idempotency_key": "another"},
    ],
)
def test_the_same(fields: dict[str, object]) -> None:
    """The order of keys and channels, blanks, the trace and the key itself do not count."""
    fingerprints = Fingerprints([_NEW])
    assert not fingerprints.differs(_event(**fields), fingerprints.first(_event()))


@pytest.mark.parametrize(
    "fields",
    [
        {"event_type": "order.shipped"},
        {"caller_event_id": ""},
        {"recipient": event_pb2.Recipient(user_id="u2", email="ada@example.org", phone="+254712345678")},
        {"recipient": event_pb2.Recipient(user_id="u1", email="eve@example.org", phone="+254712345678")},
        {"recipient": event_pb2.Recipient(user_id="u1", email="ada@example.org")},
        {"variables": b'{"a": 1.0, "b": {"d": 2, "c": 3}}'},
        {"variables": b""},
        {"payload_extra": b'{"locale": "fr"}'},
        {"channels": [_SMS]},
        # What moves from one part into another.
        {"event_type": "order.confirmedo", "caller_event_id": "-1"},
    ],
)
def test_another_body(fields: dict[str, object]) -> None:
    """Each part counts."""
    fingerprints = Fingerprints([_NEW])
    assert fingerprints.differs(_event(**fields), fingerprints.first(_event()))


def test_an_event_of_an_earlier_version_has_the_same_fingerprint() -> None:
    """It may come from the stream or the ledger: its locale stands in the body alone."""
    new = _event()
    names = ("event_type", "caller_event_id", "variables", "payload_extra", "channels")
    event = event_pb2.Event(id="e1", dedupe_key=b"k", **{name: getattr(new, name) for name in names})
    event.recipient.CopyFrom(event_pb2.Recipient(user_id="u1", email="ada@example.org", phone="+254712345678"))
    assert (event.recipient.locale, new.recipient.locale) == ("", "de")
    fingerprints = Fingerprints([_NEW])
    assert fingerprints.first(event) == fingerprints.first(new)
    assert fingerprints.first(new).event_type == "order.confirmed"


def test_a_fingerprint_is_the_one_that_earlier_versions_made() -> None:
    """Rows of the last days hold it: another one would let each of their repeats differ."""
    event = _event(variables=b"{}", payload_extra=b'{"locale":"pt_BR"}', caller_event_id="", channels=[])
    event.event_type, event.variables = "order.confirmed", b'{"locale":"de"}'
    assert Fingerprints([b"k" * 32]).first(event).fingerprint.hex() == "b1e49ec913c2eb3ba4c0e433a407e397"


def test_a_new_key() -> None:
    """A fingerprint of the old key is compared with the old key while it is configured; later it cannot differ."""
    first = Fingerprints([_OLD]).first(_event())
    rotated = Fingerprints([_NEW, _OLD])
    assert rotated.first(_event()) != first
    assert not rotated.differs(_event(), first)
    assert rotated.differs(_event(variables=b"{}"), first)
    assert not Fingerprints([_NEW]).differs(_event(variables=b"{}"), first)


def test_nobody_can_guess_a_body_by_it() -> None:
    """The stored digest cannot be computed without the key, and two keys make two digests."""
    made = [Fingerprints([key]).first(_event()).fingerprint for key in (_OLD, _NEW)]
    assert len({one[4:] for one in made}) == 2
    body = b"".join(len(part).to_bytes(4, "big") + part for part in content(_event()))
    unkeyed = hashlib.blake2b(body, digest_size=12).digest()
    assert unkeyed not in {one[4:] for one in made}
    assert not any(key[:4] in one for key in (_OLD, _NEW) for one in made)
