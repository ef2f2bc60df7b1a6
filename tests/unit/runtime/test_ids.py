"""Identifiers."""

import time
import uuid

from hypothesis import given
from hypothesis import strategies as st

from runtime.ids import derived_id, derived_id_at, is_uuid, new_id, time_of


def test_new_ids_are_ordered() -> None:
    """A later id sorts after an earlier one."""
    ids = [new_id() for _ in range(1000)]
    assert sorted(ids) == ids
    assert all(is_uuid(id_) for id_ in ids)


@given(st.lists(st.text()), st.lists(st.text()))
def test_derived_ids_are_the_same_only_for_the_same_parts(one: list[str], other: list[str]) -> None:
    """The boundaries between the parts count as well."""
    assert (derived_id(*one) == derived_id(*other)) is (one == other)


@given(st.lists(st.text()))
def test_derived_ids_are_uuids_of_version_8(parts: list[str]) -> None:
    """With the time of another id in front, where that is asked for."""
    first = new_id()
    derived = [uuid.UUID(derived_id(*parts)), uuid.UUID(derived_id_at(first, *parts))]
    assert [(one.version, one.variant) for one in derived] == [(8, uuid.RFC_4122)] * 2
    assert time_of(str(derived[1])) == time_of(first)


def test_other_texts_are_no_uuids() -> None:
    """Only 36 characters in lower case are accepted: PostgreSQL accepts both cases and would treat two ids as one."""
    others = ("", "x" * 36, new_id().replace("-", ""), f"{{{new_id()}}}", "0197A0B4-0000-7000-8000-00000000000A")
    assert not any(is_uuid(text) for text in others)


def test_an_id_knows_its_time() -> None:
    """A new id was given between the moments before and after it, to the millisecond."""
    before = time.time_ns() // 1_000_000
    given = time_of(new_id()) // 1000
    assert before <= given <= time.time_ns() // 1_000_000
