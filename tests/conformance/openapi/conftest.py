"""A stack of this folder's own: what is tried here leaves thousands of things behind."""

from collections.abc import Iterator

import pytest

from stack import client
from stack.client import Running
from stack.local import Options
from tests.conformance.openapi.trying import ENVIRONMENT
from tests.conftest import free_port


@pytest.fixture(scope="package")
def tried_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The stack whose API is tried."""
    options = Options(data=tmp_path_factory.mktemp("openapi"), port=free_port())
    with client.started(options, environment=ENVIRONMENT) as running:
        yield running


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print each run's summary: also of one that found nothing."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") != "call":
                continue
            for name, text in report.user_properties:
                if name.startswith("schemathesis"):
                    terminalreporter.write_line(f"{name}\n{text}\n")
