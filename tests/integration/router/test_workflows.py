"""WorkflowService on real PostgreSQL and NATS: what is stored, versioned, published and refused."""

import asyncio
from typing import Any

import asyncpg
import msgspec
import pytest
from nats.aio.client import Client

from clarion.common.v1 import event_pb2
from clarion.router.v1 import workflows_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain import topology
from services.domain.workflows import Workflow, decode_workflows, in_scope
from services.router.definitions import Template
from services.router.search.store import StoredSearch
from services.router.segments.store import SegmentStore
from services.router.workflows import store
from services.router.workflows.document import parse
from services.router.workflows.documents import Documents
from services.router.workflows.references import References
from services.router.workflows.servicer import WorkflowServicer
from services.router.workflows.versions import VersionKey
from tests.integration.router import run_world
from tests.integration.router.endpoint_world import EndpointWorld
from tests.integration.router.workflow_world import WorkflowWorld, contact
from tests.unit.router.workflows.building import delay, raw, send, stop

TENANT, OTHER = new_id(), new_id()
_DOCUMENT = raw(send("a"), delay("d"), send("b", "SMS"))


class _Templates:
    """Has version 3 of a template."""

    async def template_version(self, tenant_id: str, key: str, channel: int, number: int) -> Template | None:
        known = (TENANT, "order.paid", event_pb2.CHANNEL_EMAIL, 3)
        return Template("v3") if (tenant_id, key, channel, number) == known else None


class _Router:
    """The service of one router process."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", connection: Client) -> None:
        self.world = EndpointWorld(pool, connection)
        workflows = self.world.workflows
        self._servicer: Any = WorkflowServicer(workflows, References(workflows, SegmentStore(pool), _Templates()))  # type: ignore[abstract]
        self.documents = Documents(pool)
        self.search = StoredSearch(pool)

    async def call(self, method: str, tenant_id: str = TENANT, **fields: Any) -> Any:
        """Call a method of the service."""
        request = getattr(workflows_pb2, f"{method}Request")(tenant_id=tenant_id, **fields)
        return await getattr(self._servicer, method)(request, None)

    async def create(self, name: str = "Welcome", *, by: str = "", **fields: Any) -> Any:
        """Create a workflow; return the answer."""
        given = {"tenant_id": TENANT, "event_type": "user_signup", "active": True, "document": _DOCUMENT, **fields}
        wanted = workflows_pb2.Workflow(name=name, **given)
        request = workflows_pb2.CreateWorkflowRequest(workflow=wanted, by=by)
        return await self._servicer.CreateWorkflow(request, None)

    async def published(self, event_type: str = "user_signup") -> tuple[Workflow, ...] | None:
        """Return the workflows of a type as the bucket has them."""
        value = (await self.world.bucket.newest(topology.workflows_key(TENANT, event_type))).value
        return None if value is None else decode_workflows(value)

    async def document(self, workflow_id: str, version: int) -> list[str]:
        """Return the steps of a version as runs read it, and the version before them; none: it is gone."""
        key = VersionKey(TENANT, workflow_id, version)
        found = (await self.documents.get([key])).get(key)
        return [] if found is None or found.document is None else [str(found.key.version), *found.document.by_id]


@pytest.fixture
def router(pool: "asyncpg.Pool[asyncpg.Record]", connection: Client) -> _Router:
    """One router process."""
    return _Router(pool, connection)


async def _refused(call: Any, code: Code, *fields: str) -> str:
    with pytest.raises(ClarionError) as fault:
        await call
    assert fault.value.code is code, fault.value
    assert [field for field, _ in fault.value.fields] == list(fields)
    return fault.value.detail


async def test_a_workflow_is_stored_and_published(router: _Router) -> None:
    """With its first version, whose document is what was sent, without blanks."""
    made = await router.create(description="For all", document=b" " + _DOCUMENT, by="ada@example.com")
    shown = made.workflow
    assert (shown.name, shown.description, shown.event_type, shown.active) == (
        "Welcome",
        "For all",
        "user_signup",
        True,
    )
    assert (shown.tenant_id, shown.scope, shown.version, shown.document) == (TENANT, "", 1, _DOCUMENT)
    assert shown.created_at_us == shown.updated_at_us > 0
    assert (await router.call("GetWorkflow", workflow_id=shown.id)).workflow == shown
    assert (await router.call("GetWorkflow", name="Welcome")).workflow == shown
    (version,) = (await router.call("ListWorkflowVersions", workflow_id=shown.id)).versions
    assert (version.version, version.created_by, version.document) == (1, "ada@example.com", b"")
    read = (await router.call("GetWorkflowVersion", workflow_id=shown.id, version=1)).version
    assert (read.document, read.created_at_us) == (_DOCUMENT, version.created_at_us)
    assert await router.published() == (Workflow(shown.id, 1),)
    key = topology.workflows_key(TENANT, "user_signup")
    assert made.revision == (await router.world.bucket.newest(key)).revision


async def test_another_document_is_a_new_version(router: _Router) -> None:
    """Other fields change all versions; runs go on with the one that they began with."""
    id_ = (await router.create()).workflow.id
    new = raw(stop("z"))
    changed = await router.call("UpdateWorkflow", workflow_id=id_, document=new, expected_version=1, by="grace")
    assert (changed.workflow.version, changed.workflow.document) == (2, new)
    assert changed.workflow.updated_at_us > changed.workflow.created_at_us
    # The same again is no other document.
    same = await router.call("UpdateWorkflow", workflow_id=id_, document=new + b" ", name="Hello", active=False)
    assert (same.workflow.version, same.workflow.name, same.workflow.active) == (2, "Hello", False)
    assert await router.published() == (Workflow(id_, 2, active=False),)
    versions = (await router.call("ListWorkflowVersions", workflow_id=id_)).versions
    assert [(one.version, one.created_by) for one in versions] == [(2, "grace"), (1, "")]
    assert await router.document(id_, 1) == ["1", "a", "d", "b"]
    assert await router.document(id_, 2) == ["2", "z"]
    conflict = router.call("UpdateWorkflow", workflow_id=id_, document=_DOCUMENT, expected_version=1)
    assert "Version 2 is the current one" in await _refused(conflict, Code.CONFLICT)


async def test_of_two_changes_of_the_same_version_one_is_made(router: _Router) -> None:
    """However close they are."""
    id_ = (await router.create()).workflow.id
    changes = [
        router.call("UpdateWorkflow", workflow_id=id_, document=raw(stop(f"s{n}")), expected_version=1)
        for n in range(5)
    ]
    done = await asyncio.gather(*changes, return_exceptions=True)
    refused = [one for one in done if isinstance(one, ClarionError)]
    assert [one.code for one in refused] == [Code.CONFLICT] * 4
    assert (await router.call("GetWorkflow", workflow_id=id_)).workflow.version == 2


async def test_a_workflow_that_is_for_another_type_is_published_there(router: _Router) -> None:
    """And with the types that are declared: a type is known if it was declared, or a workflow names it."""
    first, second = [(await router.create(name)).workflow.id for name in ("one", "two")]
    assert await router.published() == (Workflow(first, 1), Workflow(second, 1))
    await router.call("UpdateWorkflow", workflow_id=first, event_type="order.paid")
    assert (await router.published(), await router.published("order.paid")) == (
        (Workflow(second, 1),),
        (Workflow(first, 1),),
    )
    type_id = await router.world.event_type(TENANT, "order.sent")
    await router.world.event_type(TENANT, "order.paid")
    assert await router.published("order.sent") == ()
    assert await router.published("order.paid") == (Workflow(first, 1),)
    await router.call("DeleteWorkflow", workflow_id=first)
    assert await router.published("order.paid") == ()
    await router.world.event_types.delete(TENANT, type_id)
    assert await router.published("order.sent") is None
    await router.call("DeleteWorkflow", workflow_id=second)
    assert await router.published() is None


async def test_workflows_of_a_scope_are_started_by_its_events_alone(router: _Router) -> None:
    """Those without a scope by events of every scope."""
    live = str((await router.world.environments.create(TENANT, "Live", "live"))["id"])
    of_all = (await router.create()).workflow.id
    of_live = (await router.create(scope=live)).workflow.id  # the same name, in another scope
    published = await router.published() or ()
    assert [[one.id for one in in_scope(published, scope)] for scope in (live, "", new_id())] == [
        [of_all, of_live],
        [of_all],
        [of_all],
    ]
    assert (await router.call("GetWorkflow", name="Welcome", scope=live)).workflow.id == of_live
    assert (await router.call("GetWorkflow", name="Welcome", scope=new_id())).workflow.id == of_all
    assert [one.id for one in (await router.call("ListWorkflows", scope=live)).workflows] == [of_live, of_all]
    await _refused(router.create("Other", scope=new_id()), Code.NOT_FOUND)
    detail = await _refused(router.world.environments.delete(TENANT, live), Code.CONFLICT)
    assert detail == "The environment has workflows: delete them first."


async def test_lists(router: _Router) -> None:
    """Newest first, by cursor or by number, with how many match."""
    ids = [(await router.create(f"Flow {n}", event_type=f"type-{n % 2}")).workflow.id for n in range(5)]
    await router.call("UpdateWorkflow", workflow_id=ids[0], active=False)
    ids.reverse()

    async def listed(**fields: Any) -> tuple[list[str], int, str]:
        answer = await router.call("ListWorkflows", **fields)
        assert not any(one.document for one in answer.workflows)
        return [one.id for one in answer.workflows], answer.total, answer.next_cursor

    assert await listed() == (ids, 5, "")
    assert await listed(limit=2) == (ids[:2], 5, ids[1])
    assert await listed(limit=2, cursor=ids[1]) == (ids[2:4], 5, ids[3])
    assert await listed(limit=2, offset=4) == (ids[4:], 5, "")
    assert await listed(event_type="type-1") == ([ids[1], ids[3]], 2, "")
    assert await listed(active=False) == ([ids[4]], 1, "")
    assert await listed(active=True, search="FLOW 1") == ([ids[3]], 1, "")
    assert await listed(search="%") == ([], 0, "")
    assert await listed(tenant_id=OTHER) == ([], 0, "")


async def test_it_is_found_by_its_id_in_the_tenants_that_are_searched(router: _Router) -> None:
    """Or by the beginning of the id; no tenants: in all. A text that begins no id finds nothing."""
    made = (await router.create()).workflow
    for text, tenants, found in (
        (made.id, [], [made.id]),
        (made.id[:13].upper(), [OTHER, TENANT], [made.id]),
        (made.id, [OTHER], []),
        (made.id[:7], [], []),
        ("Welcome!", [], []),
    ):
        hits = await router.search.find(text, tenants, 20)
        assert [one.id for one in hits] == found
        assert all((one.kind, one.tenant_id, one.title) == ("workflow", TENANT, "Welcome") for one in hits)


async def test_tenants_do_not_see_each_others(router: _Router) -> None:
    """Nor change them."""
    id_ = (await router.create()).workflow.id
    for method, fields in (
        ("GetWorkflow", {}),
        ("UpdateWorkflow", {"name": "Mine"}),
        ("DeleteWorkflow", {}),
        ("ListWorkflowVersions", {}),
        ("GetWorkflowVersion", {"version": 1}),
    ):
        await _refused(router.call(method, OTHER, workflow_id=id_, **fields), Code.NOT_FOUND)
    await _refused(router.call("GetWorkflow", OTHER, name="Welcome"), Code.NOT_FOUND)
    key = VersionKey(OTHER, id_, 1)
    assert await router.documents.get([key]) == {}
    assert (await router.call("GetWorkflow", workflow_id=id_)).workflow.name == "Welcome"


async def test_what_is_refused(router: _Router) -> None:
    """Each wrong field is named, and the step that it is in."""
    id_ = (await router.create()).workflow.id
    await _refused(router.create(), Code.CONFLICT, "name")
    other = (await router.create("Other")).workflow.id
    await _refused(router.call("UpdateWorkflow", workflow_id=other, name="Welcome"), Code.CONFLICT, "name")
    wrong = raw(send("a", "FAX"), delay("b", 0))
    detail = await _refused(
        router.create("x" * 101, event_type="", document=wrong),
        Code.INVALID,
        "name",
        "event_type",
        "document.steps[0].channel",
        "document.steps[1].for_s",
    )
    assert detail.startswith("name must be at most 100 characters; event_type is required")
    detail = await _refused(
        router.call("UpdateWorkflow", workflow_id=id_, document=wrong),
        Code.INVALID,
        "document.steps[0].channel",
        "document.steps[1].for_s",
    )
    assert "document.steps[0].channel (step 'a') must be one of EMAIL" in detail
    await _refused(router.call("UpdateWorkflow", workflow_id=id_, expected_version=1), Code.INVALID, "expected_version")
    await _refused(router.create("Scoped", scope="live"), Code.INVALID, "scope")
    await _refused(router.call("GetWorkflow"), Code.INVALID, "name")
    await _refused(router.call("GetWorkflowVersion", workflow_id=id_, version=2), Code.NOT_FOUND)
    await _refused(router.call("ListWorkflows", search="x" * 101), Code.INVALID, "search")
    await _refused(router.call("ListWorkflows", offset=-1), Code.INVALID, "offset")
    await _refused(router.call("DeleteWorkflow", workflow_id=new_id()), Code.NOT_FOUND)


async def test_what_a_document_refers_to_must_exist(router: _Router) -> None:
    """A segment and an endpoint of the tenant, and a version of a template; the check says the same as the refusal."""
    mine, theirs = await router.world.create(TENANT), await router.world.create(OTHER)
    segments = SegmentStore(router.world.pool)
    rule = b'{"field":"data.plan","op":"is","value":"free"}'
    free, other = [(await segments.create(tenant_id, "free", "Free", rule)).id for tenant_id in (TENANT, OTHER)]

    def document(segment_id: str, endpoint_id: str, version: int) -> bytes:
        hook = {"id": "hook", "kind": "webhook", "endpoint_id": endpoint_id}
        mail = send("a", template={"key": "order.paid", "version": version})
        return raw(hook, mail, filters={"segment_id": segment_id})

    await router.create(document=document(free, mine, 3))
    wrong = document(other, theirs, 4)
    fields = (
        "document.filters.segment_id",
        "document.steps[0].endpoint_id",
        "document.steps[1].template.version",
    )
    await _refused(router.create("Other", document=wrong), Code.INVALID, *fields)
    faults = (await router.call("CheckWorkflow", document=wrong)).faults
    assert [(one.field, one.step) for one in faults] == [
        ("filters.segment_id", ""),
        ("steps[0].endpoint_id", "hook"),
        ("steps[1].template.version", "a"),
    ]
    assert list((await router.call("CheckWorkflow", document=document(free, mine, 3))).faults) == []
    (fault,) = (await router.call("CheckWorkflow", document=b"{")).faults
    assert (fault.field, fault.description) == ("", "must be JSON")


async def test_a_tenant_has_a_bounded_number(router: _Router, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a list of a type's workflows stays small."""
    monkeypatch.setattr(store, "MAX_WORKFLOWS", 2)
    made = [await router.create(name) for name in ("one", "two")]
    await _refused(router.create("three"), Code.CONFLICT)
    await router.call("DeleteWorkflow", workflow_id=made[0].workflow.id)
    await router.create("three")


async def test_one_event_starts_a_bounded_number(router: _Router, monkeypatch: pytest.MonkeyPatch) -> None:
    """Active ones of its type: those of its scope and of every scope. Others, and changes of them, do not matter."""
    monkeypatch.setattr(store, "MAX_ACTIVE", 2)
    scopes = [str((await router.world.environments.create(TENANT, name, name))["id"]) for name in ("one", "two")]
    first = (await router.create("a", scope=scopes[0])).workflow
    everywhere = (await router.create("b")).workflow
    await router.create("c", scope=scopes[1])
    for scope in ("", *scopes):
        await _refused(router.create("d", scope=scope), Code.CONFLICT)
    waiting = (await router.create("d", active=False)).workflow
    other = (await router.create("e", event_type="other", scope=scopes[0])).workflow
    await _refused(router.call("UpdateWorkflow", workflow_id=waiting.id, active=True), Code.CONFLICT)
    await _refused(router.call("UpdateWorkflow", workflow_id=other.id, event_type="user_signup"), Code.CONFLICT)
    await router.call("UpdateWorkflow", workflow_id=everywhere.id, name="still active", document=raw(stop("s")))
    await router.call("UpdateWorkflow", workflow_id=first.id, active=False)
    await router.call("UpdateWorkflow", workflow_id=other.id, event_type="user_signup")
    with pytest.raises(ClarionError, match=r"at most 2 active workflows .* Deactivate one of them"):
        await router.call("UpdateWorkflow", workflow_id=waiting.id, active=True)


async def test_two_that_are_activated_at_once(router: _Router, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only one of them finds room."""
    monkeypatch.setattr(store, "MAX_ACTIVE", 3)
    made = [(await router.create(f"w{n}", active=False)).workflow.id for n in range(6)]
    calls = [router.call("UpdateWorkflow", workflow_id=id_, active=True) for id_ in made]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(one, ClarionError) and one.code is Code.CONFLICT for one in answers) == 3
    assert sum(one.active for one in await router.published() or ()) == 3


async def test_old_versions_are_deleted_and_the_next_one_takes_their_place(
    router: _Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that was to begin with one of them, as of an event that waited for months, begins with the next one."""
    monkeypatch.setattr(store, "MAX_VERSIONS", 3)
    id_ = (await router.create()).workflow.id
    assert await router.document(id_, 1) == ["1", "a", "d", "b"]
    for n in range(2, 7):
        await router.call("UpdateWorkflow", workflow_id=id_, document=raw(stop(f"s{n}")))
    versions = (await router.call("ListWorkflowVersions", workflow_id=id_)).versions
    assert [one.version for one in versions] == [6, 5, 4]
    assert await router.document(id_, 1) == ["4", "s4"]
    assert await router.document(id_, 5) == ["5", "s5"]


async def test_the_version_that_a_run_is_on_is_kept(flow: WorkflowWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many came after it, until the run has ended; and the runs are counted."""
    monkeypatch.setattr(store, "MAX_VERSIONS", 1)
    workflow = await flow.workflow(delay("wait", 60), send("hello", template={"key": "welcome"}))
    workflows, began = flow.workflow_store, flow.clock()

    async def oldest() -> int:
        return int(await flow.pool.fetchval("SELECT min(version) FROM router.workflow_versions"))

    async def change(step: str) -> None:
        document = parse(raw(stop(step)))
        await workflows.update(run_world.TENANT, workflow, lambda old: (old, document), expected_version=0, by="test")

    assert (await workflows.activity(run_world.TENANT, [workflow], 9))[workflow] == store.Activity()
    await flow.begin(flow.started([workflow], contact("ada", email="ada@example.com")))
    await flow.flow_on()
    activity = (await workflows.activity(run_world.TENANT, [workflow], 9))[workflow]
    assert (activity.open_runs, activity.last_started_at_us >= began) == (1, True)
    await change("a")
    await change("b")
    assert await oldest() == 1
    flow.clock.pass_s(60)
    await flow.flow_on()
    assert await flow.sent() == [("ada", "hello")]
    activity = (await workflows.activity(run_world.TENANT, [workflow], 9))[workflow]
    assert (activity.open_runs, activity.last_started_at_us >= began) == (0, True)
    await change("c")
    assert await oldest() == 4


async def test_the_documents_of_a_deleted_workflow_are_gone_at_once(router: _Router) -> None:
    """Although they were read before, and are kept in memory."""
    kept, gone = [(await router.create(name)).workflow.id for name in ("kept", "gone")]
    wanted = [VersionKey(TENANT, id_, 1) for id_ in (kept, gone)]
    first = await router.documents.get([*wanted, *wanted])
    assert set(first) == set(wanted)
    again = await router.documents.get(wanted)
    assert again[wanted[0]].document is first[wanted[0]].document  # it was not read twice
    await router.call("DeleteWorkflow", workflow_id=gone)
    left = await router.documents.get(wanted)
    assert set(left) == {wanted[0]}
    assert (left[wanted[0]].name, left[wanted[0]].event_type) == ("kept", "user_signup")


async def test_a_document_of_a_later_release_stops_no_other(
    router: _Router, pool: "asyncpg.Pool[asyncpg.Record]"
) -> None:
    """It is there, but cannot be read; the log says so."""
    later, known = [(await router.create(name)).workflow.id for name in ("later", "known")]
    text = msgspec.json.encode({"steps": [{"id": "d", "kind": "digest"}]}).decode()
    await pool.execute(
        "UPDATE router.workflow_versions SET document = $2::text::json WHERE workflow_id = $1", later, text
    )
    found = await router.documents.get([VersionKey(TENANT, id_, 1) for id_ in (later, known)])
    assert [one.document is None for one in found.values()] == [True, False]
