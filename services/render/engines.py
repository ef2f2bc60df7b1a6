"""The template engines, by the names that CLARION_TEMPLATE_ENGINE takes. Both compile to the same kind of template."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from services.render import handlebars
from services.render.handlebars import CompiledTemplate, Helper

CLARION = "clarion"
PYBARS3 = "pybars3"

T = TypeVar("T")


class CompileLimitError(Exception):
    """Compiling a template takes more than it may. The text says what to do."""


class CompileTemplate(Protocol):
    """See handlebars.compile_template."""

    def __call__(
        self,
        source: str,
        *,
        escaping: bool,
        marking: Callable[[str], str] | None = None,
        partials: Mapping[str, str] | None = None,
        helpers: Mapping[str, Helper] = handlebars.BUILT_IN,
    ) -> CompiledTemplate:
        """Compile source with the partials it calls."""


class Limited(Protocol):
    """Runs work within the limits of compiling one version."""

    def __call__(self, work: Callable[[], T]) -> T:
        """Return what work returns. Raises CompileLimitError."""


def _unlimited(work: Callable[[], T]) -> T:
    return work()


@dataclass(frozen=True, slots=True)
class Engine:
    """limited: runs all compiling of one version."""

    name: str
    compile_template: CompileTemplate
    limited: Limited = _unlimited


OWN = Engine(CLARION, handlebars.compile_template)


def load(name: str, *, compile_s: float) -> Engine:
    """Return the engine of that name. compile_s: processor seconds that pybars3 may take to compile one version."""
    if name != PYBARS3:
        return OWN
    # Half a second and some megabytes, for who chose it.
    from services.render import pybars3

    def limited(work: Callable[[], T]) -> T:
        return pybars3.limited(compile_s, work)

    return Engine(PYBARS3, pybars3.compile_template, limited)
