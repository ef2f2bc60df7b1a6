"""Which stored workflows an event starts: what is stored with it, and what its caller is told."""

import asyncio
from typing import Any

import pytest

from clarion.common.v1 import event_pb2
from clarion.ingest.v1 import ingest_pb2
from runtime.errors import ClarionError, Code
from runtime.ids import new_id
from services.domain import topology
from services.domain.workflows import Workflow
from tests.unit.ingest.desk import KEY, MARKER, OURS, TENANT, Desk, call

_BY_TYPE = ingest_pb2.WorkflowChoice(by_type=ingest_pb2.ByType())
_RED, _BLUE = "red", "blue"


class _Desk(Desk):
    """An acceptor with what is published of workflows."""

    def publish(self, *workflows: Workflow, event_type: str = OURS) -> None:
        """Publish an event type and the workflows that name it; none: it was declared."""
        self.copy.put(topology.workflows_key(TENANT, event_type), workflows)

    def complete(self) -> None:
        """Publish that everything is published."""
        self.copy.put(MARKER, b"1")

    async def started(self, **fields: Any) -> list[tuple[str, int]] | None:
        """Accept an event; return the workflows that it starts, None: the event does not say."""
        accepted = await self.accept(call(key=new_id(), **fields))
        event = self.log.events[-1]
        stamped = [(one.workflow_id, one.version) for one in event.workflows.workflows]
        assert list(accepted.workflows) == stamped
        return stamped if event.HasField("workflows") else None

    async def code(self, **fields: Any) -> Code:
        """Return why an event is not accepted."""
        return (await self.refused(call(key=new_id(), **fields))).code


def _named(workflow_id: str) -> ingest_pb2.WorkflowChoice:
    return ingest_pb2.WorkflowChoice(workflow_id=workflow_id)


def _workflow(version: int = 1, scope: str = "", *, active: bool = True) -> Workflow:
    return Workflow(new_id(), version, scope, active)


async def test_an_event_starts_the_active_workflows_of_its_type_and_scope() -> None:
    """Each with its current version; those of every scope, and those of the event's."""
    desk = _Desk()
    everywhere, red, blue, off = _workflow(3), _workflow(1, _RED), _workflow(2, _BLUE), _workflow(active=False)
    desk.publish(everywhere, red, blue, off)
    assert await desk.started(workflows=_BY_TYPE, scope=_RED) == [(everywhere.id, 3), (red.id, 1)]
    assert await desk.started(scope=_BLUE) == [(everywhere.id, 3), (blue.id, 2)]
    assert await desk.started() == [(everywhere.id, 3)]


async def test_an_event_of_a_type_without_workflows_means_its_templates() -> None:
    """It does not say that it has none, unless its caller wants nothing else."""
    desk = _Desk()
    desk.publish(_workflow(active=False), _workflow(scope=_BLUE))
    assert await desk.started(scope=_RED) is None
    assert await desk.started(event_type="other") is None
    assert await desk.started(workflows=_BY_TYPE, scope=_RED) == []


async def test_an_unknown_type_is_refused_where_workflows_are_asked_for() -> None:
    """A type is known if it was declared, or if a workflow names it, active or not."""
    desk = _Desk()
    desk.complete()
    assert await desk.code(workflows=_BY_TYPE) is Code.NOT_FOUND
    desk.publish(_workflow(scope=_BLUE, active=False))
    assert await desk.started(workflows=_BY_TYPE, scope=_RED) == []
    desk.publish()
    assert await desk.started(workflows=_BY_TYPE, scope=_RED) == []
    assert [event.event_type for event in desk.log.events] == [OURS, OURS]


async def test_a_named_workflow_is_started_alone() -> None:
    """Active or not, if it is of the event's type and scope."""
    desk = _Desk()
    desk.complete()
    wanted, other = _workflow(7, _RED, active=False), _workflow(1)
    desk.publish(other, wanted)
    assert await desk.started(workflows=_named(wanted.id), scope=_RED) == [(wanted.id, 7)]
    assert desk.log.events[-1].workflows.is_named
    assert await desk.code(workflows=_named(wanted.id), scope=_BLUE) is Code.NOT_FOUND
    assert await desk.code(workflows=_named(new_id()), scope=_RED) is Code.NOT_FOUND
    assert await desk.code(workflows=_named(wanted.id), scope=_RED, event_type="other") is Code.NOT_FOUND


async def test_what_is_not_known_yet_is_not_denied() -> None:
    """While the copy is incomplete an unknown type may exist; a known one is accepted, whoever is away."""
    desk = _Desk()
    assert await desk.code(workflows=_BY_TYPE) is Code.UNAVAILABLE
    assert await desk.code(workflows=_named(new_id())) is Code.UNAVAILABLE
    assert await desk.started() is None
    desk.publish()
    assert await desk.started(workflows=_BY_TYPE) == []


async def test_what_cannot_be_read_is_an_error_of_ours() -> None:
    """No event is sent in another way because of it, and what is published next is read again."""
    desk = _Desk()
    desk.copy.put(topology.workflows_key(TENANT, OURS), b"[")
    assert await desk.code() is Code.INTERNAL
    assert await desk.code(workflows=_BY_TYPE) is Code.INTERNAL
    desk.publish()
    assert await desk.started(workflows=_BY_TYPE) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"direct": event_pb2.DirectMessage(channel=event_pb2.CHANNEL_EMAIL, template_key="t")},
        {"pinned": event_pb2.PinnedTemplate(channel=event_pb2.CHANNEL_EMAIL, template_version_id="v")},
    ],
)
async def test_a_direct_message_and_a_test_start_no_workflow(fields: dict[str, Any]) -> None:
    """They say themselves what is sent."""
    desk = _Desk()
    desk.publish(_workflow())
    assert await desk.started(**fields) is None
    stored = desk.log.events[-1]
    assert stored.HasField("direct") == ("direct" in fields)


async def test_a_secret_is_marked() -> None:
    """All who see the event know that it has one."""
    desk = _Desk()
    await desk.started(is_secret=True)
    await desk.started()
    assert [event.is_secret for event in desk.log.events] == [True, False]


async def test_an_event_sees_a_change_that_its_caller_made_just_before() -> None:
    """It waits until the copy has the revision that the change answered."""
    desk = _Desk()
    desk.complete()
    revision = desk.copy.revision + 1
    waiting = asyncio.create_task(desk.acceptor.accept(TENANT, call(workflows=_BY_TYPE), revision=revision))
    await asyncio.sleep(0)
    assert not waiting.done()
    workflow = _workflow()
    desk.publish(workflow)
    assert (await waiting).workflows == ((workflow.id, 1),)


async def test_a_repeat_is_answered_after_its_type_was_deleted() -> None:
    """Its first event was stored: the caller must not take it for refused. A new one is."""
    desk = _Desk()
    desk.complete()
    desk.publish(_workflow())
    first = await desk.accept(call(workflows=_BY_TYPE))
    desk.row_of(KEY).stored = True
    desk.copy.put(topology.workflows_key(TENANT, OURS), None)
    again = await desk.accept(call(workflows=_BY_TYPE))
    assert (again.event_id, again.duplicate, again.workflows) == (first.event_id, True, ())
    with pytest.raises(ClarionError) as refused:
        await desk.accept(call(key="another", workflows=_BY_TYPE))
    assert refused.value.code is Code.NOT_FOUND


async def test_equal_events_for_two_workflows_are_two_events() -> None:
    """Which one is named belongs to the content; which versions there are does not."""
    desk = _Desk()
    one, two = _workflow(), _workflow()
    desk.publish(one, two)
    by_content = ingest_pb2.Dedupe(kind=ingest_pb2.DEDUPE_KIND_CONTENT)
    first, second = [
        await desk.accept(call(key="", dedupe=by_content, workflows=_named(workflow.id))) for workflow in (one, two)
    ]
    assert not second.duplicate
    desk.publish(Workflow(one.id, 2), two)
    again = await desk.accept(call(key="", dedupe=by_content, workflows=_named(one.id)))
    assert (again.event_id, again.duplicate) == (first.event_id, True)
