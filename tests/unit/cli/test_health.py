"""`clarion health`: whom it asks. That it tells right from wrong is seen in tests/integration/compose."""

import pytest

from cli.health import Settings, _reachable, is_healthy
from tests.conftest import free_port


@pytest.mark.parametrize(
    ("listens", "asked"),
    [
        ("0.0.0.0:7000", "127.0.0.1:7000"),
        ("[::]:7000", "127.0.0.1:7000"),
        (":7000", "127.0.0.1:7000"),
        ("10.0.0.5:7000", "10.0.0.5:7000"),
        ("127.0.0.1:7000", "127.0.0.1:7000"),
    ],
)
def test_where_a_process_is_asked(listens: str, asked: str) -> None:
    """On loopback where it listens everywhere, else where it listens."""
    assert _reachable(listens) == asked


async def test_nobody_to_ask_is_an_error() -> None:
    """Not a process that is well."""
    with pytest.raises(ValueError, match="CLARION_HTTP_ADDRESS or CLARION_GRPC_ADDRESS"):
        await is_healthy(Settings())


@pytest.mark.parametrize("kind", ["http_address", "grpc_address"])
async def test_a_process_that_is_not_there_is_not_healthy(kind: str) -> None:
    """A refused connection is a no, not a traceback."""
    assert not await is_healthy(Settings(**{kind: f"127.0.0.1:{free_port()}"}))
