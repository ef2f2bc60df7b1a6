"""What the previous version left behind, in its tables and streams, is taken over by this version.

README.md says what was recorded. `upgraded` restores it, migrates, starts this version's services, and waits until
nothing is under way any more; each test then looks at one part of what became of it.
"""

import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import asyncpg
import jwt
import msgspec
import pytest
import pytest_asyncio

from checks.client import Answer, Operator, Tenant
from checks.sink import Sink
from checks.waiting import CheckError, expect, until
from clarion.common.v1 import event_pb2
from runtime import nats
from services.domain import topology
from tests.integration.senders.mail_servers import Catcher, serving
from tests.integration.upgrade import recording
from tests.integration.upgrade.arrivals import Arrivals, arrivals, differences, report
from tests.integration.upgrade.calls import EMAIL, SUPPRESSED, suppression, trigger
from tests.integration.upgrade.installation import ROLES, TODAY, Installation, installation
from tests.integration.upgrade.recording import Manifest, RecordedEvent
from tests.streams import messages_of

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

_DEADLINE_S = 60.0
# By then all timers are due, and the broker would have forgotten all ids. Nobody can commit a recording before that.
_AGE_S = 180
# Events that are in EVENTS once more, as if their router had ended before it acknowledged them: finished ones, and one
# whose deliveries still wait.
_REDELIVERED = ("f-order", "f-large", "f-signed", "p-order")
# A call without a key, whose content key is of type and payload alone.
_SEED = "f-seed"


@dataclass(repr=False)  # it would fill each failure
class Upgraded:
    """The installation after the upgrade. waits: what was still under way at the deadline; empty: nothing."""

    found: Manifest
    running: Installation
    operator: Operator
    tenants: dict[str, Tenant]
    mail: Catcher
    repeats: dict[str, Answer]
    replayed_again: Answer
    waits: str = ""
    arrived: Arrivals | None = None

    async def arrivals(self) -> Arrivals:
        """Everything that arrived."""
        if self.arrived is None:
            users = [(event.tenant, event.user_id) for event in self.found.events if event.tenant != "bulk"]
            self.arrived = await arrivals(self.running, self.operator, self.tenants, users, self.mail)
        return self.arrived

    async def event(self, event: RecordedEvent) -> dict[str, Any]:
        """An event as the admin API shows it."""
        shown = await self.operator.event(event.id)
        assert shown, f"LOST: event {event.marker} ({event.state}) is not in the ledger"
        return shown


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def upgraded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Upgraded]:
    """This version after it took over what the previous one left behind."""
    found = recording.manifest()
    age = time.time() - found.recorded_at
    assert age > _AGE_S, f"a recording can be used {_AGE_S} s after it was made"
    mail = Catcher()
    data = tmp_path_factory.mktemp("upgraded") / "stack"
    async with installation(data, found.secrets) as running, serving(mail) as mail_port:
        await running.start_servers()
        await recording.restore(found, running, mail_port=mail_port)
        await running.command(TODAY, "migrate")
        await recording.keep_pending_keys(running.postgres_url)
        await _redeliver(found, running)
        await running.start(TODAY, *ROLES)
        http, operator = running.http(), running.operator()
        tenants = {name: Tenant(http, one.id, one.api_key, name) for name, one in found.tenants.items()}
        repeats = {event.marker: await _repeat(found, tenants, event) for event in _repeatable(found, early=True)}
        letter = (await operator.must("GET", f"/events/{found.event(found.dead_letter).id}"))["deliveries"][0]["id"]
        await operator.must("POST", f"/dead-letters/{letter}/replay")
        waits = await _ended(found, running, operator)
        # Their deliveries were in DELIVERIES when the broker had forgotten their ids: only the ledger knows them.
        repeats |= {event.marker: await _repeat(found, tenants, event) for event in _repeatable(found, early=False)}
        again = await operator.call("POST", f"/dead-letters/{letter}/replay")
        waits = waits or await _ended(found, running, operator)
        yield Upgraded(found, running, operator, tenants, mail, repeats, again, waits)


async def _redeliver(found: Manifest, running: Installation) -> None:
    """Put events into EVENTS again, as the broker delivers those whose router ended before it acknowledged."""
    ids = {found.event(marker).id: marker for marker in _REDELIVERED}
    connection = await nats.connect(running.nats_url, name="test")
    try:
        jetstream = connection.jetstream()
        for message in await messages_of(jetstream, topology.EVENTS):
            event = event_pb2.Event.FromString(message.data or b"")
            if ids.pop(event.id, ""):
                await jetstream.publish(message.subject or "", message.data or b"")
    finally:
        await connection.close()
    assert not ids, f"the recording's EVENTS does not hold {sorted(ids.values())}"


def _repeatable(found: Manifest, *, early: bool) -> list[RecordedEvent]:
    """Return the events whose call is repeated."""
    return [
        event
        for event in found.events
        if event.body and (event.state != "unread") is early and (event.tenant != "bulk" or event.marker == "r-0")
    ]


async def _repeat(found: Manifest, tenants: dict[str, Tenant], event: RecordedEvent) -> Answer:
    raw = event.body.encode()
    if event.marker == _SEED:
        body = msgspec.json.decode(raw)
        body["variables"]["other"] = "than the first time"
        raw = msgspec.json.encode(body)
    tenant = tenants[event.tenant]
    return await trigger(tenant, raw, key=event.key, secret=found.tenants[event.tenant].webhook_secret)


async def _ended(found: Manifest, running: Installation, operator: Operator) -> str:
    """Wait until nothing is under way; return what is, if that takes too long."""
    sink = Sink(running.postgres_url, running.nats_url)
    ids = {event.id: event for event in found.events}

    async def is_over() -> bool:
        for event_id, event in list(ids.items()):
            if not await operator.finished(event_id):
                raise CheckError(f"event {event.marker} ({event.state}) is not finished")
            del ids[event_id]
        replay = await operator.must("GET", f"/replays/{found.replay}")
        if replay["state"] != "done":
            raise CheckError(f"the replay is {replay['state']}, {replay['replayed']} of {found.replayed}")
        replays = await _replays(operator, found)
        if any(not one["finished_at"] for one in replays):
            raise CheckError("replayed events are not finished")
        return await sink.quiet()

    try:
        await until(is_over, "the end of everything", deadline=_DEADLINE_S, every=0.2)
    except CheckError as error:
        return f"{error}; logs: {running.logs}"
    return ""


async def _replays(operator: Operator, found: Manifest) -> list[dict[str, Any]]:
    """Return the events that the replay made."""
    replays, cursor = [], ""
    while True:
        page = await operator.must("GET", f"/events?tenant_id={found.tenants['bulk'].id}&limit=100{cursor}")
        replays += [event for event in page["data"] if event["replay_of"]]
        if not page["next_cursor"]:
            return replays
        cursor = f"&cursor={page['next_cursor']}"


async def test_nothing_is_left_under_way(upgraded: Upgraded) -> None:
    """All events are finished, all messages of the streams acknowledged, all timers have fired, the replay is done."""
    assert not upgraded.waits, f"LOST OR STUCK: {upgraded.waits}"


async def test_each_message_arrives_once(upgraded: Upgraded) -> None:
    """What was sent before the upgrade is not sent again, and what was not is sent once, whatever held it."""
    expected: Counter[tuple[str, str]] = Counter()
    for event in upgraded.found.events:
        expected.update(event.expected())
    found = differences(expected, (await upgraded.arrivals()).messages)
    assert not found, report(found)


async def test_each_notification_is_shown_once(upgraded: Upgraded) -> None:
    """Open pages see what was not delivered before the upgrade, and nothing else."""
    before = ("finished", "retrying")  # what is retried is the mail
    expected: Counter[tuple[str, str]] = Counter()
    for event in upgraded.found.events:
        if event.state not in before:
            expected.update({key: n for key, n in event.expected().items() if key[1] == "PUSH"})
    found = differences(expected, (await upgraded.arrivals()).shown)
    assert not found, report(found)


async def test_the_messages_say_what_was_decided(upgraded: Upgraded) -> None:
    """The language of the payload, the tenant's own version of a global template, a pinned draft."""
    arrived = await upgraded.arrivals()
    for event in upgraded.found.events:
        for key in event.expected():
            text = arrived.texts.get(key, "")
            assert event.says in text, f"event {event.marker} says {text!r}, which has no {event.says!r}"


async def test_statuses_are_final(upgraded: Upgraded) -> None:
    """Each delivery has the status that it had, or the one that it must end with."""
    wrong = []
    for event in upgraded.found.events:
        found = {one["channel"]: one["status"] for one in (await upgraded.event(event))["deliveries"]}
        wrong += [
            f"event {event.marker} ({event.state}): {channel} is {found.get(channel)} instead of {end}"
            for channel, end in event.ends.items()
            if found.get(channel) != end
        ]
    assert not wrong, report(wrong)


async def test_timelines_are_readable(upgraded: Upgraded) -> None:
    """From its acceptance to its end, also of an event whose first steps the previous version recorded."""
    for event in upgraded.found.events:
        shown = await upgraded.event(event)
        steps = [step["step"] for step in shown["timeline"]]
        assert steps[:2] == ["accepted", "routed"], f"event {event.marker} ({event.state}): {steps}"
        for channel, end in event.ends.items():
            of_channel = [step["step"] for step in shown["timeline"] if step["channel"] == channel]
            assert end in of_channel, f"event {event.marker} ({event.state}) on {channel}: {of_channel}"
        kept = {"f-order": "repeated", "f-dead-replayed": "dead"}.get(event.marker, "")
        kept = "retrying" if event.state == "retrying" else kept
        assert not kept or kept in steps, f"event {event.marker}: {kept} from before the upgrade is missing"


async def test_repeats_are_answered_with_the_first_event(upgraded: Upgraded) -> None:
    """By the caller's key and by the content, whether or not the first event had been delivered or even routed."""
    wrong = [
        f"event {marker}: repeated, the answer was {answer.status} {answer.event_id or answer.body}"
        for marker, answer in upgraded.repeats.items()
        if answer.status != 200 or answer.event_id != upgraded.found.event(marker).id
    ]
    assert not wrong, report(wrong)


async def test_a_call_over_grpc_of_the_previous_version_is_understood(upgraded: Upgraded) -> None:
    """The same bytes are the same event."""
    event = upgraded.found.event("f-grpc")
    answer = await upgraded.running.trigger_over_grpc(upgraded.tenants["shop"].api_key, event.request)
    assert (answer.event_id, answer.duplicate, answer.event_type) == (event.id, True, "order.placed")


async def test_a_dead_letter_is_replayed_once(upgraded: Upgraded) -> None:
    """The second time there is none; the other dead letter is still there."""
    assert upgraded.replayed_again.status in {404, 409}, upgraded.replayed_again.body
    post = upgraded.tenants["post"]
    letters = (await upgraded.operator.must("GET", f"/dead-letters?tenant_id={post.id}"))["data"]
    assert [letter["event_id"] for letter in letters] == [upgraded.found.event("f-dead").id]


async def test_a_replay_under_way_goes_on(upgraded: Upgraded) -> None:
    """Each event is replayed once, those of the page before the upgrade and those after."""
    replays = await _replays(upgraded.operator, upgraded.found)
    numbers = Counter(event["replay_of"] for event in replays)
    markers = {event.id: event.marker for event in upgraded.found.events}
    wrong = {markers[event_id]: n for event_id, n in numbers.items() if n != 1}
    assert not wrong, f"replayed more than once: {wrong}"
    assert len(numbers) == upgraded.found.replayed, f"replayed: {len(numbers)} of {upgraded.found.replayed}"


async def test_who_was_erased_stays_erased(upgraded: Upgraded) -> None:
    """Nothing of them is kept, the retry that waited ends unsent, and they may be written to again."""
    for marker in ("e-gone", "t-erased"):
        event = await upgraded.event(upgraded.found.event(marker))
        assert event["recipient"]["user_id"].startswith("erased:"), f"event {marker} names its recipient"
        assert not event["recipient"]["email"], f"event {marker} has the recipient's address"
    deliveries = (await upgraded.event(upgraded.found.event("t-erased")))["deliveries"]
    assert {one["channel"]: one["reason"] for one in deliveries}["EMAIL"] == "recipient_erased"
    arrived = await upgraded.arrivals()
    assert not [key for key in arrived.messages if key[0] in {"e-gone", "t-erased"}]
    assert arrived.messages["p-again", "EMAIL"] == 1


async def test_inboxes_keep_what_was_read(upgraded: Upgraded) -> None:
    """One notification of the reader was read, the others were not."""
    arrived = await upgraded.arrivals()
    assert {marker for marker, is_read in arrived.read.items() if is_read} == {upgraded.found.read}
    of_reader = [
        event for event in upgraded.found.events if event.user_id == "reader" and event.ends.get("PUSH") == "sent"
    ]
    assert await upgraded.tenants["shop"].unread("reader") == len(of_reader) - 1


async def test_tokens_hold_and_stay_revoked(upgraded: Upgraded) -> None:
    """A token of before the upgrade opens its inbox, signed again because it has expired since; a revoked one none."""
    kept, revoked = upgraded.found.tokens
    for token, tenant, user_id, status in ((kept, "shop", "reader", 200), (revoked, "signed", "signer", 401)):
        secret = upgraded.found.secrets.centrifugo_token_secret
        claims = jwt.decode(token.token, secret, algorithms=["HS256"], options={"verify_exp": False})
        claims |= {"iat": int(time.time()), "exp": int(time.time()) + 600}
        headers = {"Authorization": f"Bearer {jwt.encode(claims, secret)}"}
        answer = await upgraded.tenants[tenant].inbox(user_id, headers=headers)
        assert answer.status == status, f"{user_id}: {answer.status} {answer.body}"


async def test_tenants_are_what_they_were(upgraded: Upgraded) -> None:
    """Settings, limits, content key, secrets' last characters; retention; languages; policies."""
    for name, tenant in upgraded.found.tenants.items():
        shown = await upgraded.operator.must("GET", f"/tenants/{tenant.id}")
        changed = {field: shown.get(field) for field, value in tenant.shown.items() if shown.get(field) != value}
        assert not changed, f"{name}: {changed}"
    signed = upgraded.found.tenants["signed"]
    retention = await upgraded.operator.must("GET", f"/tenants/{signed.id}/retention")
    days = {"events_days": 400, "payload_days": 300, "inbox_days": 200, "outbox_days": 100}
    assert {name: retention[name] for name in (*days, "keep_content")} == {**days, "keep_content": True}


async def test_who_was_refused_is_refused(upgraded: Upgraded) -> None:
    """An API key that was replaced, and an event without the signature that its tenant's events need."""
    shop, signed = upgraded.tenants["shop"], upgraded.tenants["signed"]
    body = upgraded.found.event("f-order").body.encode()
    replaced = Tenant(shop.http, shop.id, upgraded.found.tenants["shop"].revoked_key)
    assert (await replaced.trigger(raw=body)).status == 401
    assert (await signed.trigger(raw=upgraded.found.event("f-signed").body.encode())).status == 401


async def test_suppressions_hold(upgraded: Upgraded) -> None:
    """Of all mail to an address, and of the mail that one can unsubscribe from."""
    shop = upgraded.tenants["shop"]
    found = {address: await suppression(upgraded.operator, shop, address) for address in SUPPRESSED}
    assert found == SUPPRESSED


async def test_reports_and_links_of_before_hold(upgraded: Upgraded) -> None:
    """A provider reports a message of before the upgrade as failed, and somebody unsubscribes from another one."""
    report, reported = upgraded.found.report, upgraded.tenants["reported"]
    event = upgraded.found.event("f-reported")
    fields = {"id": report.message_id, "status": "Failed", "failureReason": "UserDoesNotExist"}
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await reported.http.call("POST", report.path, headers=form, data=urlencode(fields).encode())
    assert answer.status == 204, f"the report was answered {answer.status}"
    click = b"List-Unsubscribe=One-Click"
    answer = await reported.http.call("POST", report.unsubscribe_path, headers=form, data=click)
    assert answer.status == 200, f"the link was answered {answer.status}"

    async def are_known() -> bool:
        shown = await upgraded.event(event)
        statuses = {one["channel"]: one["status"] for one in shown["deliveries"]}
        reason = await suppression(upgraded.operator, reported, EMAIL, "letter")
        expect((statuses["SMS"], reason) == ("bounced", "unsubscribed"), f"{statuses}, {reason or 'not suppressed'}")
        return True

    await until(are_known, "the report and the click", deadline=30)


async def test_the_backlog_is_back_to_nothing(upgraded: Upgraded) -> None:
    """No tenant is counted as having unfinished events: otherwise it would be refused some of its quota for ever."""
    connection = await asyncpg.connect(upgraded.running.postgres_url)
    try:

        async def is_zero() -> bool:
            rows = await connection.fetch("SELECT * FROM ingest.backlog WHERE unfinished <> 0 OR unfinished_bytes <> 0")
            if rows:
                raise CheckError(f"counted as unfinished: {[dict(row) for row in rows]}")
            return True

        await until(is_zero, "an empty backlog", deadline=60)
    finally:
        await connection.close()
