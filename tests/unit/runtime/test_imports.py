"""Libraries are imported without the optional dependencies that are not used."""

import subprocess
import sys

import pytest

from runtime.imports import hide_packages


def test_a_hidden_package_cannot_be_imported_in_the_block() -> None:
    """In the block the import fails; afterwards nothing of it is left."""
    with hide_packages("this"), pytest.raises(ImportError):
        import this  # noqa: F401 - it is not
    assert "this" not in sys.modules


def test_a_loaded_package_stays_visible() -> None:
    """Only packages that are not loaded yet are hidden."""
    with hide_packages("subprocess"):
        assert sys.modules["subprocess"] is subprocess


@pytest.mark.parametrize("service", ["ingest", "router", "render"])
def test_services_start_without_what_they_do_not_use(service: str) -> None:
    """No HTTP client, no colours: they are a third of a start, and 12 MB of each process."""
    code = f"import sys, services.{service}.__main__; print(*[n for n in ('aiohttp', 'rich') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == ""
