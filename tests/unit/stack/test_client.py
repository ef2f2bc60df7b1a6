"""Variables of a stack for a shell: those that are asked for, and whatever is in them."""

import subprocess

import pytest

from stack.client import shell_exports
from stack.faults import StackError
from stack.state import StackState

_HOSTILE = '/home/o\'neil/a "b" $(touch x) `y` \\ ü\n/.clarion'


def _state() -> StackState:
    return StackState(
        ready=True,
        pid=1,
        data=_HOSTILE,
        url="http://127.0.0.1:8080",
        urls=[],
        admin_token="a",
        tenant_id="t",
        api_key="k",
        user_id="demo",
        variables={"CLARION_ADMIN_TOKEN": "a", "CLARION_CENTRIFUGO_CONFIG": _HOSTILE},
        processes={},
    )


def _in_a_shell(exports: str, name: str) -> str:
    command = f'eval "$1"; printf %s "${name}"'
    done = subprocess.run(["sh", "-c", command, "sh", exports], capture_output=True, text=True, check=True)
    return done.stdout


def test_a_path_is_one_word_whatever_is_in_it() -> None:
    """Quotes, blanks and substitutions arrive as they are, and nothing is run."""
    assert _in_a_shell(shell_exports(_state(), []), "CLARION_CENTRIFUGO_CONFIG") == _HOSTILE


def test_only_what_is_asked_for() -> None:
    """A caller's shell gets none of the services' secrets beside it."""
    exports = shell_exports(_state(), ["CLARION_URL", "CLARION_API_KEY"])
    assert exports == "export CLARION_URL=http://127.0.0.1:8080\nexport CLARION_API_KEY=k\n"


def test_an_unknown_name_is_refused() -> None:
    """With those that there are."""
    with pytest.raises(
        StackError, match=r"CLARION_KEY is unknown\. Known are CLARION_ADMIN_TOKEN, CLARION_API_KEY, .*CLARION_URL"
    ):
        shell_exports(_state(), ["CLARION_KEY"])
