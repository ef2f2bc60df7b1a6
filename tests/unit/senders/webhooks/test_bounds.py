"""How many calls may be under way."""

from services.senders.webhooks.bounds import Bounds, Limits


def _take(bounds: Bounds, tenant: str, endpoint: str, number: int = 10_000) -> int:
    """Return how many of so many calls are let in."""
    return sum(bounds.enter(tenant, endpoint) for _ in range(number))


def test_one_endpoint() -> None:
    """Its own bound, or a quarter of what its tenant may take."""
    assert _take(Bounds(Limits()), "t", "e") == 64
    assert _take(Bounds(Limits(total=2_048, of_tenant=100, of_endpoint=64)), "t", "e") == 25


def test_two_hundred_endpoints_that_hang_leave_some_for_those_that_are_well() -> None:
    """Of the same tenant, and of another one."""
    bounds = Bounds(Limits())
    for _ in range(50):
        for number in range(200):
            bounds.enter("t", f"hung{number}")
    assert bounds.under_way < 256
    assert all(bounds.enter("t", f"well{number}") for number in range(6))
    assert _take(bounds, "other", "e") == 64


def test_a_tenant_holds_at_most_as_many_as_are_free() -> None:
    """So a third one still finds some."""
    bounds = Bounds(Limits(total=100, of_tenant=1_000, of_endpoint=1_000))
    for tenant in ("a", "b"):
        assert sum(bounds.enter(tenant, f"{tenant}{number}") for number in range(100)) in {50, 25}
    assert bounds.under_way == 75
    assert bounds.enter("c", "c1")


def test_one_in_all() -> None:
    """The smallest bounds let one call in, whoever makes it."""
    bounds = Bounds(Limits(total=1, of_tenant=1, of_endpoint=1))
    assert _take(bounds, "a", "e") == 1
    assert not bounds.enter("b", "f")
    bounds.leave("a", "e")
    assert bounds.enter("b", "f")


def test_what_left_is_forgotten() -> None:
    """Nothing is kept of tenants and endpoints that have no call under way."""
    bounds = Bounds(Limits())
    for number in range(10):
        assert bounds.enter("t", f"e{number}")
    for number in range(10):
        bounds.leave("t", f"e{number}")
    assert (bounds.under_way, len(bounds._tenants), len(bounds._endpoints)) == (0, 0, 0)
