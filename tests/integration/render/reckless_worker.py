"""A worker without the depth check: deeply nested markup reaches the converter and crashes it."""

from services.render.mjml import faults
from services.render.worker import main as run


def main() -> None:
    """As services.render.worker."""
    faults.MAX_NESTING = 10**9
    run()
