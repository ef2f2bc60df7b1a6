"""pybars3's interface on either engine: Compiler(engine).compile(source) → template(context, helpers, partials).

For programs that know pybars3, and for tests that compare the two. The service itself calls the engine with limits.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from services.render import engines
from services.render.engines import Engine
from services.render.handlebars import BUILT_IN, CompiledTemplate, Culture, Helper, Options, Output
from services.render.handlebars.syntax import parse

_LIMIT = 1024 * 1024
_MOST_ARGUMENTS = 16


class Compiler:
    """As pybars.Compiler."""

    def __init__(self, engine: Engine = engines.OWN) -> None:
        self._engine = engine

    def compile(self, source: str) -> "RenderFunction":
        """Return the template. Raises TemplateFaultError where it is no Handlebars."""
        parse(source)
        return RenderFunction(self._engine, source)


class RenderFunction:
    """A template. Helpers and partials are bound when it is called, so that is where what they lack is found."""

    def __init__(self, engine: Engine, source: str) -> None:
        self.source = source
        self._engine = engine
        self._compiled: tuple[Mapping[str, Helper], Mapping[str, str], CompiledTemplate] | None = None

    def __call__(
        self,
        context: Any,
        helpers: "Mapping[str, Helper | Callable[..., Any]] | None" = None,
        partials: "Mapping[str, RenderFunction] | None" = None,
    ) -> str:
        """Return the text over context, escaped for HTML.

        helpers: functions of (this, arguments..., options by name), or Helper; one that opens a block decides which
        half of it is written. Raises TemplateFaultError, and what Output raises.
        """
        known = {**BUILT_IN, **{name: _helper(helper) for name, helper in (helpers or {}).items()}}
        texts = {name: partial.source for name, partial in (partials or {}).items()}
        made = self._bound(known, texts)
        return made.render({} if context is None else context, Output(_LIMIT, math.inf))

    def _bound(self, helpers: Mapping[str, Helper], partials: Mapping[str, str]) -> CompiledTemplate:
        if self._compiled is None or self._compiled[:2] != (helpers, partials):
            made = self._engine.compile_template(self.source, escaping=True, partials=partials, helpers=helpers)
            self._compiled = helpers, partials, made
        return self._compiled[2]


def _helper(helper: Helper | Callable[..., Any]) -> Helper:
    if isinstance(helper, Helper):
        return helper
    return Helper(_Call(helper), 0, _MOST_ARGUMENTS, None, decides=True, takes_context=True)


class _Call:
    """A Python function as a helper."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, arguments: tuple[Any, ...], options: Options, _culture: Culture) -> Any:
        return self._function(*arguments, **options)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Call) and self._function == other._function

    def __hash__(self) -> int:
        return hash(self._function)
