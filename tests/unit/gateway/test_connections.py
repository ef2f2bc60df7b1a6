"""Bounds on connections and on the bytes of unfinished requests."""

import pytest

from gateway.addresses import Proxies
from gateway.connections import ByteBudget, Connections
from gateway.settings import Settings
from runtime.settings import SettingsError, load

ENVIRONMENT = {
    "CLARION_HTTP_ADDRESS": "127.0.0.1:0",
    "CLARION_ADMIN_TOKEN": "a",
    "CLARION_SERVICE_TOKEN": "s",
    "CLARION_CENTRIFUGO_URL": "http://127.0.0.1:1",
    **{f"CLARION_{name}_ADDRESS": "127.0.0.1:1" for name in ("INGEST", "ROUTER", "RENDER", "SENDERS", "REALTIME")},
}


def test_one_address_has_its_share_of_the_bytes() -> None:
    """A quarter, so that it cannot take the others' room; what is given back can be taken again."""
    budget = ByteBudget(400)
    assert budget.take("a", 100)
    assert not budget.take("a", 1)
    assert budget.take("b", 60)
    budget.give_back("a", 30)
    assert budget.take("a", 30)
    assert budget.held == 160


def test_a_trusted_proxy_s_bytes_count_in_all() -> None:
    """They are of many callers: it may take what is left, and no more."""
    budget = ByteBudget(400)
    assert budget.take("", 350)
    assert not budget.take("a", 60)
    assert budget.take("a", 50)
    assert not budget.take("", 1)


async def test_one_address_has_its_share_of_the_connections() -> None:
    """Past it the others are let in; a trusted proxy has no share; past the total no one is let in."""
    connections = Connections(Proxies(["10.0.0.1"]), limit=6, per_address=2)
    assert [connections.enter("192.0.2.1") for _ in range(3)] == ["192.0.2.1", "192.0.2.1", None]
    assert [connections.enter("10.0.0.1") for _ in range(3)] == ["", "", ""]
    assert connections.enter("2001:db8::1") == "2001:db8::/64"
    assert connections.enter("192.0.2.2") is None
    assert connections.enter("10.0.0.1") is None
    connections.leave("192.0.2.1")
    assert connections.enter("192.0.2.1") == "192.0.2.1"


async def test_no_share() -> None:
    """0: one address may have all."""
    connections = Connections(limit=6, per_address=0)
    assert None not in [connections.enter("192.0.2.1") for _ in range(6)]


@pytest.mark.parametrize(
    ("set_", "expected"),
    [
        ({}, 16_384),
        ({"CLARION_MAX_WEBSOCKETS": "50000"}, 56_384),
        ({"CLARION_MAX_CONNECTIONS": "20000"}, 20_000),
    ],
)
def test_all_websockets_have_room(set_: dict[str, str], expected: int) -> None:
    """Each is a connection, too; the default follows their number."""
    assert load(Settings, {**ENVIRONMENT, **set_}).connections == expected


def test_fewer_connections_than_websockets_are_refused() -> None:
    """The process does not start, and says which variable is wrong."""
    with pytest.raises(SettingsError, match="CLARION_MAX_CONNECTIONS must be larger than CLARION_MAX_WEBSOCKETS"):
        load(Settings, {**ENVIRONMENT, "CLARION_MAX_CONNECTIONS": "10000"})
