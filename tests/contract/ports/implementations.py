"""The fixture of a suite whose real implementation is a fixture too."""

from collections.abc import Callable
from typing import Any, TypeVar

import pytest

S = TypeVar("S")


def either(create_fake: Callable[[], S]) -> Any:
    """Return a fixture of both implementations: the fake, and the fixture `real` of the same module."""

    @pytest.fixture(params=["fake", "real"])
    def subject(request: pytest.FixtureRequest) -> S:
        if request.param == "fake":
            return create_fake()
        real: S = request.getfixturevalue("real")
        return real

    return subject
