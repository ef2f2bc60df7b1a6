"""What the render service reads from the environment."""

from runtime.service import ProcessSettings
from runtime.settings import Secret


class Settings(ProcessSettings, frozen=True, kw_only=True):
    """See runtime.service.ProcessSettings for the rest."""

    postgres_url: Secret
    nats_url: Secret
    # Worker processes.
    render_workers: int = 1
    # What one item may use: processor seconds, characters of output.
    render_cpu_s: float = 1.0
    render_output: int = 1024 * 1024
    # Bytes of memory of one worker.
    render_memory: int = 256 * 1024 * 1024
