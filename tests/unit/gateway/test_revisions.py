"""The gateway's memory of what changes of endpoints answered."""

from gateway.revisions import Revisions


def test_the_newest_revision_of_each_tenant() -> None:
    """An older one that comes later does not replace it, and neither does none."""
    revisions = Revisions()
    assert revisions.of("t") == 0
    for revision in (7, 5, 0):
        revisions.remember("t", revision)
    revisions.remember("s", 3)
    assert (revisions.of("t"), revisions.of("s")) == (7, 3)
    revisions.remember("t", 8)
    assert revisions.of("t") == 8


def test_the_tenants_that_changed_last_are_remembered() -> None:
    """Past the bound the one goes that was not changed for the longest time."""
    revisions = Revisions(most=2)
    for tenant, revision in (("a", 1), ("b", 2), ("a", 3), ("c", 4)):
        revisions.remember(tenant, revision)
    assert [revisions.of(tenant) for tenant in ("a", "b", "c")] == [3, 0, 4]
