"""The gateway's memory of what changes of endpoints answered."""

from gateway.revisions import LATE_S, Revisions


def test_the_newest_revision_of_each_tenant() -> None:
    """An older one whose answer was overtaken does not replace it, and neither does none."""
    revisions = Revisions()
    assert revisions.of("t") == 0
    for revision in (7, 5, 0):
        revisions.remember("t", revision)
    revisions.remember("s", 3)
    assert (revisions.of("t"), revisions.of("s")) == (7, 3)
    revisions.remember("t", 8)
    assert revisions.of("t") == 8


def test_a_bucket_that_was_made_again_begins_with_small_revisions() -> None:
    """A smaller one that no longer can be an overtaken answer replaces the larger one, however many came before."""
    times = iter((0.0, LATE_S / 2, LATE_S + 1, LATE_S + 2))
    revisions = Revisions(now=lambda: next(times))
    for revision, expected in ((700, 700), (3, 700), (4, 4), (5, 5)):
        revisions.remember("t", revision)
        assert revisions.of("t") == expected


def test_the_tenants_that_changed_last_are_remembered() -> None:
    """Past the bound the one goes that was not changed for the longest time."""
    revisions = Revisions(most=2)
    for tenant, revision in (("a", 1), ("b", 2), ("a", 3), ("c", 4)):
        revisions.remember(tenant, revision)
    assert [revisions.of(tenant) for tenant in ("a", "b", "c")] == [3, 0, 4]
