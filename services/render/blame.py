"""What follows from a worker's death: which job failed, and which are sent again. No processes."""

from collections.abc import Sequence
from typing import NamedTuple

from services.render.jobs import Job

# A job whose worker was killed from outside fails at the third time.
_MAX_DEATHS = 3


class Death(NamedTuple):
    """Why a worker ended. reason, detail: as in a RenderFailure.

    may_be_external: something outside may have killed it, so its job may be innocent.
    """

    reason: str
    detail: str
    may_be_external: bool = False


class Blame(NamedTuple):
    """culprit: the job that fails; None if none is certain to have killed the worker. again: jobs to send again."""

    culprit: Job | None
    again: Sequence[Job]


def judge(unanswered: Sequence[Job], death: Death) -> Blame:
    """Return what becomes of the jobs that a dead worker left, in the order in which it had them.

    If it could have died of several of them, all are sent again to be answered one by one. The job that kills the next
    worker is then the first one without an answer.
    """
    if not unanswered:
        return Blame(None, ())
    first = unanswered[0]
    if len(unanswered) > 1 and not first.one_by_one:
        for job in unanswered:
            job.one_by_one = True
        return Blame(None, unanswered)
    first.deaths += 1
    if death.may_be_external and first.deaths < _MAX_DEATHS:
        return Blame(None, unanswered)
    return Blame(first, unanswered[1:])
