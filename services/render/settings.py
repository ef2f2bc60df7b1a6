"""The settings of the render service."""

from typing import Annotated, Literal

import msgspec

from runtime.service import ProcessSettings
from runtime.settings import Secret


class Settings(ProcessSettings, frozen=True, kw_only=True):
    """See runtime.settings: field postgres_url is read from CLARION_POSTGRES_URL."""

    postgres_url: Secret
    nats_url: Secret
    # Number of worker processes.
    render_workers: Annotated[int, msgspec.Meta(ge=1, le=64)] = 1
    # Limits for one item: processor seconds, and characters of output.
    render_cpu_s: Annotated[float, msgspec.Meta(gt=0, le=5)] = 0.5
    render_output: Annotated[int, msgspec.Meta(ge=1024)] = 512 * 1024
    # MiB of address space that a worker may use in addition to what it has at its start.
    render_memory_mib: Annotated[int, msgspec.Meta(ge=16)] = 96
    # What compiles and runs templates: our own compiler, or pybars3 (docs/handlebars.md).
    template_engine: Literal["clarion", "pybars3"] = "clarion"
    # Processor seconds that pybars3 may take to compile one version.
    render_compile_s: Annotated[float, msgspec.Meta(gt=0, le=5)] = 2.0
