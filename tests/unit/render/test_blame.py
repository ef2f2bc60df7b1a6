"""What follows from a worker's death."""

import pytest

from services.render.blame import Blame, Death, judge
from services.render.frames import SMS, TemplateSource
from services.render.jobs import Job

CRASH = Death("render_crashed", "the worker died of SIGSEGV")
KILLED = Death("render_crashed", "the worker died of SIGKILL", may_be_external=True)


def jobs(count: int) -> list[Job]:
    """Jobs without an answer."""
    return [Job(TemplateSource(SMS, "", "Hi")) for _ in range(count)]


@pytest.mark.parametrize("death", [CRASH, KILLED])
def test_of_several_none_is_blamed(death: Death) -> None:
    """They are sent again, to be answered one by one."""
    unanswered = jobs(3)
    assert judge(unanswered, death) == Blame(None, unanswered)
    assert [job.one_by_one for job in unanswered] == [True] * 3
    assert [job.deaths for job in unanswered] == [0] * 3


def test_of_several_answered_one_by_one_the_first_is_blamed() -> None:
    """The others had not begun."""
    unanswered = jobs(3)
    judge(unanswered, CRASH)
    assert judge(unanswered, CRASH) == Blame(unanswered[0], unanswered[1:])


def test_a_single_job_is_blamed_at_once() -> None:
    """The worker did nothing else."""
    (job,) = unanswered = jobs(1)
    assert judge(unanswered, CRASH) == Blame(job, [])


def test_a_kill_from_outside_is_blamed_on_nobody_twice() -> None:
    """A job that is there at a third one may use up the machine's memory."""
    first, second = unanswered = jobs(2)
    first.one_by_one = second.one_by_one = True
    assert judge(unanswered, KILLED) == Blame(None, unanswered)
    assert judge(unanswered, KILLED) == Blame(None, unanswered)
    assert judge(unanswered, KILLED) == Blame(first, [second])
    assert second.deaths == 0


def test_an_idle_workers_death_concerns_no_job() -> None:
    """Nothing is sent again."""
    assert judge([], CRASH) == Blame(None, ())
