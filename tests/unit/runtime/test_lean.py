"""Imports without what is not used."""

import subprocess
import sys

import pytest

from runtime.lean import without


def test_hidden_inside_and_there_again_outside() -> None:
    """What is not loaded yet cannot be found in the block; afterwards it can."""
    with without("this"), pytest.raises(ImportError):
        import this  # noqa: F401 - it is not
    assert "this" not in sys.modules


def test_what_is_loaded_stays() -> None:
    """Only what the block would load."""
    with without("subprocess"):
        assert sys.modules["subprocess"] is subprocess


@pytest.mark.parametrize("service", ["ingest", "router", "render"])
def test_services_start_without_what_they_do_not_use(service: str) -> None:
    """No HTTP client, no colours: they are a third of a start, and 12 MB of each process."""
    code = f"import sys, services.{service}.__main__; print(*[n for n in ('aiohttp', 'rich') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == ""
