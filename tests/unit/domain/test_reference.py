"""The lists of channels, statuses and reasons, and what is generated from them."""

import ast
import re
from pathlib import Path

import pytest

from clarion.common.v1 import event_pb2, trace_pb2
from services.domain import channels, reference, statuses
from services.domain.reasons import Reason

_ROOT = Path(__file__).parents[3]
_SOURCES = [path for area in ("services", "gateway") for path in (_ROOT / area).rglob("*.py")]
# What is given a reason.
_TAKERS = {"Result", "SendResult", "Report", "Unsendable", "NoResponse", "Routed", "NotSent"}


@pytest.mark.parametrize("path", reference.FILES, ids=lambda path: str(path.name))
def test_generated_files_are_those_of_the_lists(path: Path) -> None:
    """After a change of a list: `make gen`."""
    assert path.read_text() == reference.FILES[path]()


def test_a_changed_function_has_a_higher_number(tmp_path: Path) -> None:
    """By it an older version's `migrate` knows that its own functions are not wanted."""
    assert reference.outdated() == []
    (tmp_path / "one.sql").write_text("SELECT 1")
    (tmp_path / "version.txt").write_text(reference.version_of(tmp_path))
    assert (tmp_path / "version.txt").read_text().startswith("1 ")
    assert reference.version_of(tmp_path) == (tmp_path / "version.txt").read_text()
    (tmp_path / "one.sql").write_text("SELECT 2")
    assert reference.version_of(tmp_path).startswith("2 ")


def test_every_value_of_the_wire_has_a_line() -> None:
    """A channel or status that proto/ knows and a list does not would have no name."""
    assert set(channels.BY_NUMBER) == set(event_pb2.Channel.values()) - {event_pb2.CHANNEL_UNSPECIFIED}
    assert set(statuses.BY_NUMBER) == set(trace_pb2.DeliveryStatus.values()) - {trace_pb2.DELIVERY_STATUS_UNSPECIFIED}


def test_names_and_ranks_are_given_once() -> None:
    """Of two statuses with one rank neither would replace the other, so the last state would depend on the order."""
    for values in (
        [one.name for one in channels.BY_NUMBER.values()],
        [one.public_name for one in channels.BY_NUMBER.values()],
        [one.name for one in statuses.BY_NUMBER.values()],
        [one.rank for one in statuses.BY_NUMBER.values()],
    ):
        assert len(set(values)) == len(values)


def test_a_final_status_ranks_above_those_that_are_not() -> None:
    """Else a late record of an attempt would reopen what has ended."""
    final = [one.rank for one in statuses.BY_NUMBER.values() if one.is_terminal]
    open_ = [one.rank for one in statuses.BY_NUMBER.values() if not one.is_terminal]
    assert max(open_) < min(final)


def test_a_status_that_only_a_newer_version_knows_is_kept() -> None:
    """It is final here and ranks above all others, so that this version does not overwrite it."""
    assert statuses.rank(99) > max(status.rank for status in statuses.BY_NUMBER.values())
    assert statuses.is_terminal(99)
    assert not statuses.is_terminal(0)
    assert statuses.name(99) == ""


def test_no_reason_is_written_as_a_string() -> None:
    """What is given to a result, a report or a decision comes from the list of reasons."""
    found = [
        f"{path.relative_to(_ROOT)}:{word.lineno} {word.value}"
        for path in _SOURCES
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and _name(call.func) in _TAKERS
        for word in [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "reason")]
        if isinstance(word, ast.Constant)
        and isinstance(word.value, str)
        and re.fullmatch("[a-z]+(_[a-z]+)+", word.value)
    ]
    assert found == []


def test_a_text_is_one_plain_sentence_or_two() -> None:
    """It is shown to people as it stands."""
    assert [one for one in Reason if not re.fullmatch(r"[A-Z].*[a-z]\.", one.text)] == []


def _name(called: ast.expr) -> str:
    match called:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""
