"""A worker's memory of versions: what it knows it renders without being told again, and it keeps only so much."""

from services.render.frames import NEEDS_SOURCE, OK, RENDER, SMS, Task, TemplateSource, WorkerLimits
from services.render.worker import TaskRunner

LIMITS = WorkerLimits(cpu_s=60.0, output=100_000, memory=0)
# About 1.6 MB each, as estimated; 16 MiB are kept.
LARGE = TemplateSource(SMS, "", "{{x}}" * 2000)
VERSIONS = 14


def outcome(renderer: TaskRunner, version_id: str, source: TemplateSource | None = None) -> str:
    """What the worker says to an item of this version."""
    return renderer.answer(Task(RENDER, version_id, source, b'{"x":"y"}')).outcome


def test_a_version_is_told_once() -> None:
    """Unknown, told, known; a preview is not remembered."""
    renderer = TaskRunner(LIMITS)
    assert outcome(renderer, "v") == NEEDS_SOURCE
    assert outcome(renderer, "v", TemplateSource(SMS, "", "{{x}}")) == OK
    assert outcome(renderer, "v") == OK
    assert outcome(renderer, "", TemplateSource(SMS, "", "{{x}}")) == OK
    assert outcome(renderer, "") == NEEDS_SOURCE


def test_the_least_used_versions_are_dropped() -> None:
    """The sum of what they roughly hold is bounded; one that is used again stays."""
    renderer = TaskRunner(LIMITS)
    for number in range(VERSIONS):
        assert outcome(renderer, f"v{number}", LARGE) == OK
        assert outcome(renderer, "v0") == OK
    known = {number for number in range(VERSIONS) if outcome(renderer, f"v{number}") == OK}
    assert known == {0, *range(VERSIONS - 9, VERSIONS)}


def test_a_faulty_version_is_not_remembered() -> None:
    """It would be told again, and refused again."""
    renderer = TaskRunner(LIMITS)
    for _ in range(2):
        assert outcome(renderer, "v", TemplateSource(SMS, "", "{{#if}}")) == "template_error"
        assert outcome(renderer, "v") == NEEDS_SOURCE
