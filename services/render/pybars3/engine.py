"""compile_template() by pybars3: with the arguments and the result of that of services/render/handlebars."""

from collections.abc import Callable, Mapping
from functools import partial

from services.render import handlebars
from services.render.handlebars import BUILT_IN, CompiledTemplate, Helper, Output, TemplateFaultError
from services.render.handlebars.scope import Scope
from services.render.handlebars.values import escape
from services.render.pybars3.guard import compile_function
from services.render.pybars3.runtime import Runtime
from services.render.pybars3.unsupported import refuse_unsupported

# What a tag's functions roughly hold in memory beyond those of our own compiler: so many times as much.
_COST = 3


def compile_template(
    source: str,
    *,
    escaping: bool,
    marking: Callable[[str], str] | None = None,
    partials: Mapping[str, str] | None = None,
    helpers: Mapping[str, Helper] = BUILT_IN,
) -> CompiledTemplate:
    """Compile source with the partials it calls; see handlebars.compile_template.

    Raises TemplateFaultError, also for what Handlebars has and pybars3 lacks.
    """
    known = partials or {}
    made = handlebars.compile_template(source, escaping=escaping, marking=marking, partials=known, helpers=helpers)
    runtime = Runtime(helpers, escape if escaping else marking, marking)
    for name in made.partials:
        try:
            runtime.partials[name] = _function(known[name], runtime)
        except TemplateFaultError as fault:
            raise fault.within(name) from None
    emit = partial(_emit, runtime, _function(source, runtime))
    return CompiledTemplate(emit, made.program, made.partials, made.cost * _COST)


def _function(source: str, runtime: Runtime) -> Callable[..., str]:
    refuse_unsupported(source)
    return compile_function(source, runtime.names)


def _emit(runtime: Runtime, function: Callable[..., str], scope: Scope, output: Output) -> None:
    try:
        runtime.run(function, scope, output)
    except TypeError as error:
        # A call that pybars3 writes and no helper takes.
        raise TemplateFaultError(f"pybars3 cannot render this: {error}", 0, 0) from None
