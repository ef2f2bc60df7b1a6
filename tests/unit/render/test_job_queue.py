"""The order in which jobs go to the workers."""

from services.render.frames import SMS, TaskResult, TemplateSource
from services.render.job_queue import MAX_FRAME_JOBS, PATIENCE_S, SUSPECT_EVERY_S, JobQueue
from services.render.jobs import Batch, Job
from services.render.suspicion import DURATION_S, Suspicion

SOURCE = TemplateSource(SMS, "", "Hi {{name}}")
NOBODY_KNOWN: set[str] = set()


def batch_of(*jobs: Job) -> Batch:
    """Let somebody wait for these jobs."""
    batch = Batch(len(jobs), lambda: None)
    for index, job in enumerate(jobs):
        job.belongs_to(batch, index)
    return batch


def jobs(count: int, version_id: str = "good") -> list[Job]:
    """Jobs of one version, for which somebody waits."""
    made = [Job(SOURCE, version_id=version_id) for _ in range(count)]
    batch_of(*made)
    return made


def test_frames_are_taken_in_order_and_bounded() -> None:
    """A frame has at most so many jobs; the next one goes on where it ended."""
    queue, waiting = JobQueue(), jobs(MAX_FRAME_JOBS + 3)
    queue.add(waiting)
    assert queue.take(NOBODY_KNOWN, 0) == waiting[:MAX_FRAME_JOBS]
    assert len(queue) == 3
    assert queue.take(NOBODY_KNOWN, 0) == waiting[MAX_FRAME_JOBS:]
    assert queue.take(NOBODY_KNOWN, 0) == []


def test_a_frame_is_bounded_by_bytes() -> None:
    """A template's source counts only for a worker that does not know the version."""
    source = TemplateSource(SMS, "", "x" * 300_000)
    waiting = [Job(source, version_id="large") for _ in range(4)]
    batch_of(*waiting)
    queue = JobQueue()
    queue.add(waiting)
    assert len(queue.take(NOBODY_KNOWN, 0)) == 2
    queue.put_back(waiting[:2])
    assert len(queue.take({"large"}, 0)) == 4


def test_what_was_taken_goes_back_to_the_front() -> None:
    """In the order in which it was taken."""
    queue = JobQueue()
    first, second, third = waiting = jobs(3)
    queue.add(waiting)
    queue.take(NOBODY_KNOWN, 0)
    queue.add([third])
    queue.put_back([first, second])
    assert queue.take(NOBODY_KNOWN, 0) == [first, second, third]


def test_jobs_that_nobody_waits_for_are_dropped() -> None:
    """Of a batch whose caller is gone."""
    queue = JobQueue()
    gone = Job(SOURCE)
    batch_of(gone).is_abandoned = True
    (kept,) = jobs(1)
    queue.add([gone, kept, Job(SOURCE)])
    assert queue.take(NOBODY_KNOWN, 0) == [kept]
    assert len(queue) == 0


def test_a_frame_is_either_one_by_one_or_not() -> None:
    """A job to be answered alone does not slow down its neighbours."""
    queue = JobQueue()
    first, second, third = waiting = jobs(3)
    first.one_by_one = second.one_by_one = True
    queue.add(waiting)
    assert queue.take(NOBODY_KNOWN, 0) == [first, second]
    assert queue.take(NOBODY_KNOWN, 0) == [third]


def test_a_suspect_versions_jobs_wait_behind_all_others() -> None:
    """They are taken when nothing else waits, one at a time."""
    queue = JobQueue()
    queue.suspect("bad", 0)
    bad, good = jobs(2, "bad"), jobs(2)
    queue.add([bad[0], good[0], bad[1], good[1]])
    assert queue.take(NOBODY_KNOWN, 0) == good
    assert queue.take(NOBODY_KNOWN, 0) == [bad[0]]
    assert queue.take(NOBODY_KNOWN, 0) == [bad[1]]


def test_a_suspect_job_has_a_turn_though_others_never_cease() -> None:
    """One every few seconds."""
    queue = JobQueue()
    queue.suspect("bad", 0)
    bad = jobs(2, "bad")
    queue.add(bad)
    assert queue.take(NOBODY_KNOWN, 0) == [bad[0]]
    for now, expected in ((0.1, "good"), (SUSPECT_EVERY_S - 0.1, "good"), (SUSPECT_EVERY_S, "bad")):
        queue.add(jobs(1))
        (taken,) = queue.take(NOBODY_KNOWN, now)
        assert taken.version_id == expected


def test_suspect_jobs_are_given_up_after_a_while() -> None:
    """All but the first: their batches need not wait for the last of them."""
    queue = JobQueue()
    queue.suspect("bad", 0)
    waiting = [Job(SOURCE, version_id="bad") for _ in range(4)]
    completed: list[bool] = []
    batch = Batch(4, lambda: completed.append(True))
    for index, job in enumerate(waiting):
        job.belongs_to(batch, index)
    queue.add(waiting[:3])
    assert queue.take(NOBODY_KNOWN, 0) == [waiting[0]]
    queue.add([waiting[3], *jobs(1)])
    queue.take(NOBODY_KNOWN, PATIENCE_S)  # the fourth is set aside now
    queue.add(jobs(1))
    queue.take(NOBODY_KNOWN, PATIENCE_S + 0.1)
    assert len(queue) == 2  # the second has its turn, the third is given up, the fourth is not late yet
    waiting[0].settle(TaskResult("ok"))
    waiting[1].settle(TaskResult("ok"))
    assert not completed
    waiting[3].settle(TaskResult("ok"))
    assert completed == [True]
    assert [answer and answer.outcome for answer in batch.answers] == ["ok", "ok", None, "ok"]


def test_a_job_is_settled_once() -> None:
    """A second answer changes nothing."""
    completed: list[bool] = []
    batch = Batch(1, lambda: completed.append(True))
    job = Job(SOURCE)
    job.belongs_to(batch, 0)
    job.settle(TaskResult("ok"))
    job.settle(TaskResult("render_crashed"))
    assert completed == [True]
    assert batch.answers == [TaskResult("ok")]


def test_suspicion_ends() -> None:
    """A version that was suspected again stays suspect from then on."""
    suspicion = Suspicion()
    suspicion.add("bad", 0)
    suspicion.add("bad", 10)
    assert suspicion.includes("bad", DURATION_S + 10)
    assert not suspicion.includes("bad", DURATION_S + 10.1)
    assert not suspicion


def test_suspicion_is_bounded() -> None:
    """The oldest suspicions are forgotten; a template without a version cannot be suspected."""
    suspicion = Suspicion()
    suspicion.add("", 0)
    assert not suspicion
    for number in range(1001):
        suspicion.add(str(number), 0)
    assert not suspicion.includes("0", 0)
    assert suspicion.includes("1", 0)
    assert suspicion.includes("1000", 0)
