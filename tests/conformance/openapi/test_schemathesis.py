"""schemathesis over the whole document, on a running stack."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stack.client import Running
from tests.conformance.openapi import trying

# Of each operation, beside those that its schema's bounds ask for.
EXAMPLES = 3
DEADLINE_S = 400.0


@pytest.mark.slow
@pytest.mark.timeout(500)
@pytest.mark.parametrize("side", ["public", "admin"])
def test_the_api_is_as_described(
    tried_stack: Running, tmp_path: Path, record_property: Callable[[str, object], None], side: str
) -> None:
    """Right and wrong data: no 5xx, no status, header or body that is not described, nothing wrong accepted."""
    tried = trying.run(tried_stack.state, tmp_path, examples=EXAMPLES, deadline=DEADLINE_S, admin=side == "admin")
    record_property(f"schemathesis, {side}", tried.summary)
    assert tried.passed, tried.output
