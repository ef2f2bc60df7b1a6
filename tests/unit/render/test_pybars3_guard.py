"""The guard's second wall, seen without the first: Python that pybars3 does not mean to write is not run."""

import pytest

from services.render.handlebars import TemplateFaultError
from services.render.pybars3 import guard


@pytest.mark.parametrize(
    "code",
    [
        "__import__('os').getpid()",
        "context.__class__",
        "(x for x in value)",
        "(lambda: helpers.pop)()",
        "f'{context}'",
        "exec",
        "result.grow.append",
        "(value := 1)",
    ],
)
def test_python_of_a_template_is_refused(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Names of the template are not escaped here, so its code stands in what would be run."""
    monkeypatch.setattr(guard, "_safe_character", lambda character: character)
    with pytest.raises(TemplateFaultError, match="code of its own"):
        guard.compile_function(f"{{{{zz.[') or {code} or resolve(context, u']}}}}", {})
