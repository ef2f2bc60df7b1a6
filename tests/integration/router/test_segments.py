"""Segments on PostgreSQL: a filter finds whom a simple reading of it finds, in pages and counts, whatever it holds."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from clarion.router.v1 import recipients_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.router.ports import Membership, Person
from services.router.recipients.people import PostgresRecipients
from services.router.schedules.schedule import Change, NewSchedule
from services.router.schedules.store import ScheduleStore
from services.router.segments.condition import condition_of
from services.router.segments.filter import EVERYBODY, parse
from services.router.segments.members import SegmentMembers
from services.router.segments.scan import Scan
from services.router.segments.store import missing
from tests.integration.router.recipient_world import OTHER, TENANT, Api
from tests.waiting import eventually

_TEXTS = ("", "Ada", "ada", "ADA L.", "%", "_", "'; DROP TABLE router.recipients; --", "$1", "{condition}", "é")
_TAGS = ("vip", "beta", "'", "{v}")
_VALUES: tuple[Any, ...] = (None, True, False, 0, 1, 2.5, -1e300, "1", "true", "Ada", "2026-11-30T10:00", ["Ada", "b"])


def _people() -> list[dict[str, Any]]:
    """Return sixty people who differ in everything that filters see."""
    people = []
    for number in range(60):
        value = _VALUES[number % len(_VALUES)]
        people.append(
            {
                "recipient_id": f"r{number}",
                "email": f"U{number}@example.org" if number % 3 else "",
                "name": _TEXTS[number % len(_TEXTS)],
                "locale": "pt-BR" if number % 4 == 0 else "",
                "data": {"v": value, "in": {"v": value}} if number % 5 else {},
                "tags": [tag for position, tag in enumerate(_TAGS) if number >> position & 1],
                "muted_channels": [event_pb2.CHANNEL_SMS] if number % 7 == 0 else [],
                "groups": ["g"] if number % 2 else [],
            }
        )
    return people


async def _store(api: Api, people: Sequence[Mapping[str, Any]]) -> None:
    changes = [
        recipients_pb2.StoredRecipient(
            **{
                **{name: one[name] for name in ("recipient_id", "email", "name", "locale", "tags", "muted_channels")},
                "data": json.dumps(one["data"]).encode(),
            }
        )
        for one in people
    ]
    await api.call("PutRecipients", recipients=changes)
    await api.group("g", *[one["recipient_id"] for one in people if one["groups"]])


def _matches(written: Mapping[str, Any], one: Mapping[str, Any]) -> bool:
    """Read a filter as services/router/segments/filter.py says it."""
    match written:
        case {"all": parts}:
            return all(_matches(part, one) for part in parts)
        case {"any": parts}:
            return any(_matches(part, one) for part in parts)
        case {"not": part}:
            return not _matches(part, one)
    field, op, value = written["field"], written["op"], written["value"]
    if op.startswith("has_"):
        found = set(map(event_pb2.Channel.Name, one[field])) if field == "muted_channels" else set(one[field])
        wanted = {f"CHANNEL_{name}" for name in value} if field == "muted_channels" else set(value)
        results = {"has_all": wanted <= found, "has_any": bool(wanted & found), "has_none": not wanted & found}
        return results[op]
    if field.startswith("data."):
        seen: Any = one["data"]
        for name in field.split(".")[1:]:
            seen = seen.get(name) if isinstance(seen, dict) else None
        return _of_data(seen, op, value)
    return (one[field] != "") == value if op == "exists" else _of_text(one[field], op, value)


def _of_data(seen: Any, op: str, value: Any) -> bool:
    if op == "exists":
        return bool((seen is not None) == value)
    if op == "has":
        return isinstance(seen, list) and value.lower() in [str(one).lower() for one in seen]
    if op == "in":
        return any(_of_data(seen, "is", one) for one in value)
    kind = bool if isinstance(value, bool) else str if isinstance(value, str) else (int, float)
    fits = isinstance(seen, kind) and (kind is bool or not isinstance(seen, bool))
    if kind is str:
        return _of_text(seen if fits else None, op, value)
    if op in ("is", "is_not"):
        return (fits and seen == value) == (op == "is")
    compared = {"less": "__lt__", "at_most": "__le__", "more": "__gt__", "at_least": "__ge__"}[op]
    return fits and bool(getattr(float(seen), compared)(float(value)))


def _of_text(seen: str | None, op: str, value: Any) -> bool:
    if op == "is_not":
        return seen is None or seen.lower() != str(value).lower()
    if seen is None:
        return False
    if op == "in":
        return seen.lower() in [one.lower() for one in value]
    if op in ("before", "after"):
        return seen[:10] < str(value) if op == "before" else seen[:10] > str(value)
    low, wanted = seen.lower(), str(value).lower()
    return {
        "is": low == wanted,
        "contains": wanted in low,
        "starts_with": low.startswith(wanted),
        "ends_with": low.endswith(wanted),
    }[op]


def _test(field: str, ops: Sequence[str], values: Any) -> Any:
    return st.fixed_dictionaries({"field": st.just(field), "op": st.sampled_from(ops), "value": values})


_TEXT = st.sampled_from([one for one in _TEXTS if one] + ["r1", "example", "br", "1", "true"])
_SCALAR = st.sampled_from([True, False, 0, 1, 2.5, -1e300, "1", "true", "ADA"])
_TESTS = st.one_of(
    *[
        st.one_of(
            _test(field, ["is", "is_not", "contains", "starts_with", "ends_with"], _TEXT),
            _test(field, ["in"], st.lists(_TEXT, min_size=1, max_size=3)),
            _test(field, ["exists"], st.booleans()),
        )
        for field in ("recipient_id", "email", "name", "locale", "data.v")
    ],
    *[
        st.one_of(
            _test(field, ["is", "is_not"], _SCALAR),
            _test(field, ["in"], st.lists(_SCALAR, min_size=1, max_size=3)),
            _test(field, ["less", "at_most", "more", "at_least"], st.sampled_from([0, 1, 2.5, -1e300])),
            _test(field, ["before", "after"], st.sampled_from(["2026-11-30", "2000-01-01"])),
            _test(field, ["has"], _TEXT),
        )
        for field in ("data.v", "data.in.v", "data.none", "data.'); DROP")
    ],
    _test("tags", ["has_all", "has_any", "has_none"], st.lists(st.sampled_from([*_TAGS, "none"]), min_size=1)),
    _test("groups", ["has_all", "has_any", "has_none"], st.lists(st.sampled_from(["g", "none"]), min_size=1)),
    _test(
        "muted_channels", ["has_all", "has_any", "has_none"], st.lists(st.sampled_from(["SMS", "EMAIL"]), min_size=1)
    ),
)
_FILTERS = st.recursive(
    _TESTS,
    lambda inner: st.one_of(
        st.fixed_dictionaries({"all": st.lists(inner, max_size=3)}),
        st.fixed_dictionaries({"any": st.lists(inner, max_size=3)}),
        st.fixed_dictionaries({"not": inner}),
    ),
    max_leaves=6,
)


async def test_a_filter_finds_whom_it_says(api: Api) -> None:
    """A hundred filters, each as pages of ten, as a count, and asked about everybody; nobody of another tenant."""
    people = _people()
    await _store(api, people)
    await api.put("r0", tenant_id=OTHER, tags=list(_TAGS), name="Ada")
    scan = Scan(api.pool, looked_at=25, looked_at_data=25)
    rows = await api.pool.fetch("SELECT id, recipient_id FROM router.recipients WHERE tenant_id = $1", TENANT)
    ids = {str(row["id"]): row["recipient_id"] for row in rows}
    written: list[Mapping[str, Any]] = [
        {"field": "tags", "op": op, "value": value}
        for op in ("has_all", "has_any", "has_none")
        for value in (["vip"], ["beta", "vip"], ["none", "vip"])
    ]

    @settings(
        max_examples=100, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
    )
    @given(_FILTERS)
    def collect(one: Mapping[str, Any]) -> None:
        written.append(one)

    collect()
    matched = 0
    for one in written:
        raw = json.dumps(one).encode()
        try:
            condition = condition_of(parse(raw))
        except ClarionError:  # it is nested too deep
            continue
        wanted = [person["recipient_id"] for person in people if _matches(one, person)]
        matched += len(wanted)
        found: list[str] = []
        after = ""
        while True:
            page = await scan.page(TENANT, condition, after, 10)
            found += page.ids
            after = page.looked_at
            if not after:
                break
        assert [ids[id_] for id_ in found] == wanted, one
        assert await scan.count(TENANT, condition, 100) == len(wanted), one
        assert await scan.among(TENANT, condition, ids.values()) == set(wanted), one
    assert matched > 300


async def test_a_segment_is_stored_changed_and_deleted(api: Api) -> None:
    """Its key is unique; its members are found out when they are read."""
    await _store(api, _people())
    raw = b'{"field":"tags","op":"has_all","value":["vip"]}'
    segment = (
        await api.call("CreateSegment", segment={"tenant_id": TENANT, "key": "vips", "name": "VIPs", "filter": raw})
    ).segment
    assert (segment.key, segment.filter) == ("vips", raw)
    taken = await api.refused("CreateSegment", segment={"tenant_id": TENANT, "key": "vips", "name": "x", "filter": raw})
    assert (taken.code, taken.fields[0][0]) == (Code.CONFLICT, "key")
    count = await api.call("CountSegment", segment_id=segment.id)
    assert (count.count, count.is_cut, [one.recipient_id for one in count.first]) == (
        30,
        False,
        ["r1", "r3", "r5", "r7", "r9"],
    )
    assert len(await api.ids("ListSegmentMembers", segment_id=segment.id)) == 30
    assert await api.ids(segment_id=segment.id, search="r59") == ["r59"]
    assert (await api.call("CountSegment", filter=b'{"all":[]}')).count == 60
    changed = (await api.call("UpdateSegment", segment_id=segment.id, name="Ada", filter=b'{"any":[]}')).segment
    assert (changed.name, changed.key, (await api.call("CountSegment", segment_id=segment.id)).count) == (
        "Ada",
        "vips",
        0,
    )
    assert (await api.refused("GetSegment", segment_id=segment.id, tenant_id=OTHER)).code is Code.NOT_FOUND
    assert (await api.refused("DeleteSegment", segment_id=segment.id, tenant_id=OTHER)).code is Code.NOT_FOUND
    await api.call("DeleteSegment", segment_id=segment.id)
    assert (await api.refused("CountSegment", segment_id=segment.id)).code is Code.NOT_FOUND


async def test_segments_are_listed_by_their_names(api: Api) -> None:
    """Those with one name in the order of their creation; a page after one that was deleted goes on behind it."""
    for key, name in (("1", "b"), ("2", "a"), ("3", "b"), ("4", "c")):
        await api.call(
            "CreateSegment", segment={"tenant_id": TENANT, "key": key, "name": name, "filter": b'{"all":[]}'}
        )
    first = await api.call("ListSegments", limit=2)
    assert [one.key for one in first.segments] == ["2", "1"]
    await api.call("DeleteSegment", segment_id=first.segments[1].id)
    rest = await api.call("ListSegments", limit=2, cursor=first.next_cursor)
    assert [one.key for one in rest.segments] == ["3", "4"]
    assert (await api.refused("ListSegments", cursor="x")).code is Code.INVALID


async def test_a_segment_that_a_workflow_names_stays(api: Api) -> None:
    """As long as its current version does."""
    segment = (
        await api.call("CreateSegment", segment={"tenant_id": TENANT, "key": "k", "name": "n", "filter": b'{"all":[]}'})
    ).segment
    workflow = "01a1fe7a-0000-7000-8000-0000000000aa"
    await api.pool.execute(
        "INSERT INTO router.workflows (tenant_id, id, name, description, event_type, is_active, version)"
        " VALUES ($1, $2, 'Welcome', '', 'signup', true, 1)",
        TENANT,
        workflow,
    )
    await api.pool.execute(
        "INSERT INTO router.workflow_versions (tenant_id, workflow_id, version, document, created_by)"
        " VALUES ($1, $2, 1, $3, ''), ($1, $2, 2, '{}', '')",
        TENANT,
        workflow,
        json.dumps({"filters": {"segment_id": segment.id}, "steps": []}),
    )
    refused = await api.refused("DeleteSegment", segment_id=segment.id)
    assert (refused.code, "Welcome" in refused.detail) == (Code.CONFLICT, True)
    await api.pool.execute("UPDATE router.workflows SET version = 2")
    await api.call("DeleteSegment", segment_id=segment.id)


async def test_matching(api: Api) -> None:
    """Those of some people who are in a segment; nobody of one that does not exist."""
    await _store(api, _people())
    segment = (
        await api.call(
            "CreateSegment",
            segment={
                "tenant_id": TENANT,
                "key": "k",
                "name": "n",
                "filter": b'{"field":"locale","op":"is","value":"PT-br"}',
            },
        )
    ).segment
    members = SegmentMembers(api.pool)
    some = ["r0", "r1", "r4", "unknown", "\0"]
    assert await members.matching(TENANT, segment.id, some) == {"r0", "r4"}
    assert await members.matching(OTHER, segment.id, some) == set()
    assert await members.matching(TENANT, "nonsense", some) == set()


async def test_pages_of_tags_segments_and_groups_have_each_once(api: Api) -> None:
    """Whatever the size of a page, and however far a source was read; whole, without who is excluded."""
    people = _people()
    await _store(api, people)
    raw = b'{"field":"locale","op":"is","value":"pt-BR"}'
    segment = (
        await api.call("CreateSegment", segment={"tenant_id": TENANT, "key": "k", "name": "n", "filter": raw})
    ).segment
    membership = Membership(
        TENANT,
        tags=[["vip", "beta"], ["'"]],
        segment_ids=[segment.id, "none"],
        recipients=["r2", "r10"],
        excluded=["r3"],
        whole=True,
    )
    wanted = [
        one["recipient_id"]
        for one in people
        if (
            {"vip", "beta"} <= {*one["tags"]}
            or "'" in one["tags"]
            or one["locale"]
            or one["recipient_id"] in ("r2", "r10")
        )
        and one["recipient_id"] != "r3"
    ]
    for limit, looked_at in ((1, 20_000), (4, 20_000), (100, 20_000), (100, 7), (4, 7)):
        stored = PostgresRecipients(api.pool, Scan(api.pool, looked_at=looked_at))
        found: list[Person] = []
        after = ""
        while True:
            page = await stored.page(membership, after, limit)
            assert len(page.people) <= limit
            found += page.people
            after = page.after
            if not after:
                break
        assert [one.recipient.user_id for one in found] == wanted
    by_id = {one["recipient_id"]: one for one in people}
    assert all(one.tags == {*by_id[one.recipient.user_id]["tags"]} for one in found)
    assert all(json.loads(one.recipient.data) == by_id[one.recipient.user_id]["data"] for one in found)


@pytest.mark.parametrize("tag", ["vip", ""])
async def test_a_statement_looks_at_a_bounded_number(api: Api, tag: str) -> None:
    """However few a filter matches: what a step has looked at is where the next one goes on."""
    await _store(api, _people())
    scan = Scan(api.pool, looked_at=10)
    parts: list[dict[str, Any]] = [{"field": "recipient_id", "op": "is", "value": "r59"}]
    if tag:
        parts.append({"field": "tags", "op": "has_all", "value": [tag]})
    condition = condition_of(parse(json.dumps({"all": parts}).encode()))
    found: list[str] = []
    steps, after = 0, ""
    while True:
        step = await scan.step(TENANT, condition, after, 5)
        steps, after = steps + 1, step.looked_at
        found += step.ids
        if not after:
            break
    assert (steps, len(found)) == (4 if tag else 7, 1)
    assert await scan.count(TENANT, condition_of(EVERYBODY), 5) == 6


async def _segment(api: Api, key: str = "k") -> str:
    new = {"tenant_id": TENANT, "key": key, "name": key, "filter": b'{"all":[]}'}
    return str((await api.call("CreateSegment", segment=new)).segment.id)


async def test_a_segment_that_a_schedule_names_stays(api: Api) -> None:
    """Also one that it leaves out; until the schedule is for somebody else. A text with the same id names nothing."""
    schedules = ScheduleStore(api.pool)
    segments = [await _segment(api, key) for key in ("for", "without", "only-a-text")]
    event = ingest_pb2.NewEvent(
        event_type="report.due",
        audience=[event_pb2.Target(segment_id=segments[0])],
        exclusions=[event_pb2.Target(segment_id=segments[1])],
        variables=json.dumps({"segment_id": segments[2]}).encode(),
    )
    new = NewSchedule(TENANT, "", "Weekly", "0 9 * * 1", "", active=False, event=event.SerializeToString())
    schedule = await schedules.create(new, 1)
    for segment_id in segments[:2]:
        refused = await api.refused("DeleteSegment", segment_id=segment_id)
        assert (refused.code, "Schedules use this segment: Weekly." in refused.detail) == (Code.CONFLICT, True)
    await api.call("DeleteSegment", segment_id=segments[2])
    plain = ingest_pb2.NewEvent(event_type="report.due", audience=[event_pb2.Target(group="g")])
    await schedules.update(TENANT, schedule.id, Change(event=plain.SerializeToString()), 1)
    for segment_id in segments[:2]:
        await api.call("DeleteSegment", segment_id=segment_id)
    for write in (schedules.create(new, 1), schedules.update(TENANT, schedule.id, Change(event=new.event), 1)):
        with pytest.raises(ClarionError) as unknown:
            await write
        assert list(dict(unknown.value.fields)) == ["event.audience[0].segment_id", "event.exclusions[0].segment_id"]


async def test_a_segment_is_not_deleted_while_a_schedule_with_it_is_stored(api: Api) -> None:
    """The deletion waits until the schedule is stored, and is refused then."""
    segment_id = await _segment(api)
    event = ingest_pb2.NewEvent(event_type="report.due", audience=[event_pb2.Target(segment_id=segment_id)])
    async with api.pool.acquire() as connection:
        async with connection.transaction():
            # As a schedule is stored.
            assert not await missing(connection, TENANT, [segment_id])
            deleting = asyncio.create_task(api.refused("DeleteSegment", segment_id=segment_id))
            await eventually(api.is_waiting)
            await connection.execute(
                "INSERT INTO router.schedules"
                " (id, tenant_id, scope, name, cron, timezone, active, event, created_at, updated_at)"
                " VALUES ($1, $2, '', 'Weekly', '0 9 * * 1', '', false, $3, now(), now())",
                new_id(),
                TENANT,
                event.SerializeToString(),
            )
        assert (await deleting).code is Code.CONFLICT


async def test_a_tenant_that_counts_much_does_not_hold_up_another(api: Api) -> None:
    """One list or count of a tenant is worked on at a time; more than some dozens do not wait."""
    go_on = asyncio.Event()

    class Slow(Scan):
        async def _end(self, tenant_id: str, *args: Any) -> str:
            if tenant_id == TENANT:
                await go_on.wait()
            return await super()._end(tenant_id, *args)

    scan, everybody = Slow(api.pool), condition_of(EVERYBODY)
    counts = [asyncio.create_task(scan.count(TENANT, everybody, 10)) for _ in range(40)]
    await eventually(lambda: any(task.done() for task in counts))  # the others wait
    async with asyncio.timeout(30):
        assert await scan.count(OTHER, everybody, 10) == 0
    go_on.set()
    done = await asyncio.gather(*counts, return_exceptions=True)
    refused = [one for one in done if isinstance(one, ClarionError)]
    assert {one.code for one in refused} == {Code.OVERLOADED}
    assert 0 < len(refused) < 40
