"""A run, and what comes next of it: pure."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from clarion.common.v1 import event_pb2, trace_pb2
from clarion.router.v1 import run_output_pb2, runs_pb2
from runtime.ids import derived_id_at
from services.domain import audience, direct_messages
from services.domain.delivery_ids import CURRENT_SCHEME, scheme_of
from services.domain.nameless import with_addresses_as_stored
from services.domain.reasons import Reason
from services.router import messages
from services.router.messages import Plan
from services.router.ports import Membership
from services.router.runs import outputs
from services.router.runs.ports import NewWorkflowRun

WAITING = runs_pb2.RUN_STATE_WAITING
EXPANDING = runs_pb2.RUN_STATE_EXPANDING
RUNNING = runs_pb2.RUN_STATE_RUNNING
PAUSED = runs_pb2.RUN_STATE_PAUSED
DONE = runs_pb2.RUN_STATE_DONE
CANCELED = runs_pb2.RUN_STATE_CANCELED
FAILED = runs_pb2.RUN_STATE_FAILED

# Shares of the tenants that are served in turn. More than the lanes of streams: they cost less. Lanes of the second
# half are for events that routers of earlier versions would plan otherwise: these do not look at them.
FIRST_LATER_LANE = 64
LANES = 2 * FIRST_LATER_LANE

# A body that is larger, in bytes, is read from where it is stored: a run repeats it in each of its deliveries.
MAX_INLINE_BODY = 1024
# An event that names more targets or endpoints waits for its turn among those that are read page by page.
MAX_FEW = 10

# Seconds until a run is looked at again that waits for the deliveries before, or for a part of Clarion: a quarter of
# the time that it has waited already, between these.
WAITS_S = 0.25, 15.0
# A run that could not be decided because of our own fault is tried again after 1, 2, 4, … seconds, at most ten minutes;
# after so many tries, in about two hours, it ends.
MAX_CRASHES = 20
_LONGEST_CRASH_WAIT_S = 600.0


@dataclass(frozen=True, slots=True)
class Run:
    """A run that has not ended. Times in Unix microseconds, 0: none.

    body: where the event's body is; None: the event carries it. page_upto: the bound of its pages, see
    StoredRecipients.newest; empty: none was read. crashes: how often in a row it could not be decided. updated_us: when
    it last went on. open_runs: its workflow runs that have not ended.
    """

    id: str
    event: event_pb2.Event
    state: runs_pb2.RunState.ValueType
    revision: int
    body: event_pb2.BodyReference | None
    page_after: str
    page_upto: str
    recipients: int
    sends: int
    skips: int
    due_us: int
    crashes: int
    updated_us: int
    output: run_output_pb2.RunOutput | None
    open_runs: int = 0

    @property
    def planned(self) -> int:
        """The number of deliveries so far, skipped ones included."""
        return self.sends + self.skips


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What is shown of a run. Times in Unix microseconds, 0: none."""

    id: str
    event_id: str
    tenant_id: str
    event_type: str
    scope: str
    state: runs_pb2.RunState.ValueType
    due_us: int
    recipients: int
    sends: int
    skips: int
    held_back: str
    created_us: int
    updated_us: int
    open_runs: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be stored of a run before it is published. sends, skips: how many there are more.

    is_last: no page follows it. closes: nothing follows it. state: then, or meanwhile. new: the workflow runs that
    begin.
    """

    run: Run
    output: run_output_pb2.RunOutput
    page_after: str
    page_upto: str
    recipients: int
    sends: int
    skips: int
    is_last: bool
    closes: bool
    state: runs_pb2.RunState.ValueType = EXPANDING
    new: Sequence[NewWorkflowRun] = ()


@dataclass(frozen=True, slots=True)
class Hold:
    """A run that is looked at again later, and why. revision: of the run as it was seen."""

    run: Run
    revision: int
    reason: str
    crashes: int
    until_us: int


def run_id(event_id: str) -> str:
    """Return the id of an event's run."""
    return derived_id_at(event_id, "run", event_id)


def without_large_body(event: event_pb2.Event, sequence: int) -> tuple[event_pb2.Event, event_pb2.BodyReference]:
    """Return the event as a run stores it, and where its body is; empty: the event carries it."""
    size = messages.body_size(event)
    if size <= MAX_INLINE_BODY:
        return event, event_pb2.BodyReference()
    small = event_pb2.Event()
    small.CopyFrom(event)
    small.ClearField("variables")
    small.ClearField("payload_extra")
    if event.HasField("direct"):
        small.direct.CopyFrom(direct_messages.without_content(event.direct))
    return small, event_pb2.BodyReference(sequence=sequence, size=size)


def begun(event: event_pb2.Event, sequence: int, now_us: int) -> Run:
    """Return the run of an event as it begins. sequence: of the event in EVENTS."""
    kept, body = without_large_body(with_addresses_as_stored(event), sequence)
    return Run(
        id=run_id(event.id),
        event=kept,
        state=first_state(event, now_us),
        revision=0,
        body=body if body.sequence else None,
        page_after="",
        page_upto="",
        recipients=0,
        sends=0,
        skips=0,
        due_us=event.due_at_us,
        crashes=0,
        updated_us=now_us,
        output=None,
    )


def first_state(event: event_pb2.Event, now_us: int) -> runs_pb2.RunState.ValueType:
    """Return the state in which an event's run begins."""
    return WAITING if event.due_at_us > max(now_us, event.accepted_at_us) else EXPANDING


def has_run(event: event_pb2.Event) -> bool:
    """Return whether an event has a run: of the same event always the same answer, whenever it is read."""
    return (
        event.due_at_us > event.accepted_at_us
        or is_paged(event)
        or starts_workflows(event)
        or audience.names_contacts(event)
    )


def starts_workflows(event: event_pb2.Event) -> bool:
    """Return whether it starts stored workflows."""
    return bool(event.workflows.workflows)


def is_paged(event: event_pb2.Event) -> bool:
    """Return whether its recipients are read page by page; if not, it names at most a hundred."""
    return audience.needs_expansion(event)


def is_large(event: event_pb2.Event) -> bool:
    """Return whether it waits for its turn among the large ones, so that few recipients never wait for many."""
    return is_paged(event) or len(event.audience) > MAX_FEW or len(event.endpoints.endpoint_ids) > MAX_FEW


def may_be_divided(event: event_pb2.Event) -> bool:
    """Return whether those whom it is for may be too many for one page, because each has several deliveries."""
    return starts_workflows(event) and (is_paged(event) or len(event.audience) > 1)


def lane_of(event: event_pb2.Event) -> int:
    """Return the lane of an event's run."""
    share = zlib.crc32(event.tenant_id.encode()) % FIRST_LATER_LANE
    return share + FIRST_LATER_LANE if scheme_of(event) > CURRENT_SCHEME else share


def pause_s(since_us: int, now_us: int, shortest_s: float = WAITS_S[0], longest_s: float = WAITS_S[1]) -> float:
    """Return the seconds until a run is looked at again that waits for others since then."""
    waited_s = (now_us - since_us) / 1_000_000
    return min(max(shortest_s, waited_s / 4), longest_s)


def pause_after_crash_s(crashes: int) -> float:
    """Return the seconds until a run is tried again that could not be decided so many times."""
    return min(2.0 ** (crashes - 1), _LONGEST_CRASH_WAIT_S)


def page_size(weight: int, most: int) -> int:
    """Return the recipients of a page. weight: how many deliveries each has at most. most: deliveries of a page.

    One person's are never parted.
    """
    return max(1, most // max(1, weight))


def membership(event: event_pb2.Event, contacts: Sequence[str] = ()) -> Membership:
    """Return from whom the pages are read: all targets but the inline ones, which come before the first page.

    contacts: the ids of those whom it names as contacts, who come before it, too.
    """
    groups, recipients, tags, segments, everybody = [], [], [], [], False
    for target in event.audience:
        match target.WhichOneof("target"):
            case "group":
                groups.append(target.group)
            case "recipient_id":
                recipients.append(target.recipient_id)
            case "tags":
                tags.append(list(target.tags.tags))
            case "segment_id":
                segments.append(target.segment_id)
            case "everybody":
                everybody = True
    return Membership(
        event.tenant_id,
        groups=groups,
        everybody=everybody,
        recipients=recipients,
        # They get one message, as they are described, and not another one as stored recipients.
        excluded=[*_named(event.exclusions), *_inline_ids(event), *filter(None, contacts)],
        excluded_groups=[target.group for target in event.exclusions if target.WhichOneof("target") == "group"],
        tags=tags,
        segment_ids=segments,
        whole=needs_whole(event),
    )


def needs_whole(event: event_pb2.Event) -> bool:
    """Return whether more is needed of stored recipients than their addresses; see StoredRecipients.find."""
    return event.HasField("workflows") or event.HasField("direct")


def with_workflows(planned: Plan, started: Plan, people: int) -> Plan:
    """Return the plan of a page of so many people whose event starts workflows. planned: for its endpoints alone."""
    return Plan(
        [*planned.deliveries, *started.deliveries],
        [*planned.planned, *started.planned],
        "" if people or started.planned else Reason.NO_RECIPIENT,
    )


def decide(
    run: Run,
    planned: Plan,
    page_after: str,
    people: int,
    now_us: int,
    *,
    new: Sequence[NewWorkflowRun] = (),
    more: Sequence[trace_pb2.TraceRecord] = (),
) -> Decision:
    """Return what a page gives. page_after: where the next one begins; empty: this is the last one.

    new: the workflow runs that begin with it. more: other records, without ids and times.
    """
    skips = len(planned.planned) - len(planned.deliveries)
    is_last = not page_after
    # What it knows of cannot grow any more, so that none are open is certain.
    closes = is_last and not (new or run.open_runs)
    told = planned._replace(reason=_told(run, planned, people, is_last=is_last))
    written = [
        *outputs.dated(more, now_us),
        *outputs.records(run.event, told, now_us, closes=closes, before=run.planned),
    ]
    if is_last and not closes:
        written.append(outputs.released(run.event, now_us))
    output = outputs.output_of(planned.deliveries, written, now_us)
    return Decision(
        run,
        output,
        page_after,
        run.page_upto,
        run.recipients + people,
        len(planned.deliveries),
        skips,
        is_last,
        closes,
        RUNNING if is_last and not closes else EXPANDING,
        new,
    )


def closed(run: Run, now_us: int) -> Decision:
    """Return the end of a run whose last workflow run has ended."""
    output = run_output_pb2.RunOutput(
        records=outputs.records(run.event, Plan(), now_us, closes=True, before=run.planned)
    )
    return _end_of(run, output, RUNNING)


def with_body(delivery: event_pb2.Delivery, run: Run) -> event_pb2.Delivery:
    """Return a delivery of the run's output, or of one of its workflow runs, with the body, or with where it is."""
    if run.body is not None:
        whole = event_pb2.Delivery(body_reference=run.body)
    else:
        whole = event_pb2.Delivery(variables=run.event.variables, payload_extra=run.event.payload_extra)
        if run.event.HasField("direct"):
            whole.direct.CopyFrom(run.event.direct)
    whole.MergeFrom(delivery)
    return whole


def failed(run: Run, now_us: int) -> Decision:
    """Return the end of a run that cannot be decided."""
    output = run_output_pb2.RunOutput(records=outputs.end(run.event, Reason.INTERNAL_ERROR, now_us, run.planned))
    return _end_of(run, output, FAILED)


def ended_by_cancel(run: Run, now_us: int) -> Decision:
    """Return the end of a run that began after its event was canceled."""
    return _end_of(run, canceled(run, "", now_us), CANCELED)


def canceled(run: Run, by: str, now_us: int) -> run_output_pb2.RunOutput:
    """Return what is published when a run is canceled; what was decided and perhaps not published goes with it.

    by: who did it; empty: that is recorded already.
    """
    output = run_output_pb2.RunOutput()
    if run.output is not None:
        output.CopyFrom(run.output)
    if by:
        output.records.append(outputs.canceled_record(run.event.tenant_id, run.event.id, by, now_us))
    output.records.extend(outputs.end(run.event, Reason.CANCELED, now_us, run.planned))
    return output


def _told(run: Run, planned: Plan, people: int, *, is_last: bool) -> str:
    """Return the reason that a page's record gives.

    That nobody is left to plan for is news only if there was nobody before, either.
    """
    if planned.reason == Reason.NO_RECIPIENT:
        return planned.reason if is_last and not run.recipients + people else ""
    return "" if run.planned else planned.reason


def _end_of(run: Run, output: run_output_pb2.RunOutput, state: runs_pb2.RunState.ValueType) -> Decision:
    return Decision(run, output, "", run.page_upto, run.recipients, 0, 0, is_last=True, closes=True, state=state)


def _named(targets: Sequence[event_pb2.Target]) -> list[str]:
    return [target.recipient_id for target in targets if target.WhichOneof("target") == "recipient_id"]


def _inline_ids(event: event_pb2.Event) -> list[str]:
    return [
        target.recipient.user_id
        for target in event.audience
        if target.WhichOneof("target") == "recipient" and target.recipient.user_id
    ]
