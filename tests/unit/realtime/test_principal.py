"""Names at the hub: one per tenant, user and epoch, and nothing in them that the hub reads as punctuation."""

import re

from hypothesis import example, given
from hypothesis import strategies as st

from services.realtime.principal import (
    MAX_CHANNELS,
    Epoch,
    Principals,
    channel,
    channels,
    is_namespace,
)

_PRINCIPALS = Principals("a-secret-of-thirty-two-bytes-or-so")
# Ids as callers choose them, and those made of what separates things somewhere.
_ids = st.one_of(
    st.text(min_size=1, max_size=255),
    st.text(alphabet=",#:$.*>\x1f\x00|0123 xé", min_size=1, max_size=8),
)
_epochs = st.builds(Epoch, st.integers(0, 3), st.integers(0, 3))
_users = st.tuples(_ids, _ids, _epochs)


@given(_users)
@example(("t", "x,victim", Epoch()))
@example(("t", "a#b", Epoch()))
@example(("t", "a:b", Epoch()))
@example(("t", "ü" * 255, Epoch()))
def test_a_name_is_letters_and_digits_whatever_the_ids_are(user: tuple[str, str, Epoch]) -> None:
    """No comma, no hash, no colon: the hub sees one user, and a channel within its limit of 255 characters."""
    name = _PRINCIPALS.of(*user)
    assert re.fullmatch(r"[a-z2-7]{32}", name)
    assert len(channel("n" * 64, name)) <= 255


@given(_users, _users)
@example(("a", "b#c", Epoch()), ("a#b", "c", Epoch()))
@example(("ab", "c", Epoch()), ("a", "bc", Epoch()))
@example(("t", "u1", Epoch(0, 0)), ("t", "u", Epoch(1, 0)))
@example(("t", "u", Epoch(1, 0)), ("t", "u", Epoch(0, 1)))
@example(("t", "u", Epoch(1, 11)), ("t", "u", Epoch(11, 1)))
@example(("t1", "u", Epoch()), ("t2", "u", Epoch()))
def test_different_users_have_different_names(first: tuple[str, str, Epoch], second: tuple[str, str, Epoch]) -> None:
    """Whatever is cut differently, of another tenant or of another epoch is somebody else."""
    assert (_PRINCIPALS.of(*first) == _PRINCIPALS.of(*second)) == (first == second)


@given(_users)
def test_names_hang_on_the_secret(user: tuple[str, str, Epoch]) -> None:
    """Who does not know the secret cannot compute a name."""
    assert _PRINCIPALS.of(*user) != Principals("another-secret-of-thirty-two-bytes").of(*user)


def test_channels_are_the_global_one_and_each_namespace_once() -> None:
    """In a fixed order, without what could not be a channel."""
    found = channels(["orders", "alerts", "global_system", "a:b", "x#y", ""], "p1")
    assert found == ["global_system#p1", "alerts#p1", "orders#p1"]


def test_channels_end_at_what_the_hub_allows_one_connection() -> None:
    """The global one is never the one left out."""
    found = channels([f"n{number:03}" for number in range(300)], "p1")
    assert len(found) == MAX_CHANNELS
    assert found[0] == "global_system#p1"


def test_a_push_without_namespace_goes_to_the_global_channel() -> None:
    """As the predecessor's templates without a target did."""
    assert channel("", "p1") == "global_system#p1"


def test_namespaces_hold_no_punctuation() -> None:
    """Each of these would make the hub read another channel than was meant."""
    assert is_namespace("order_updates-2")
    assert not any(is_namespace(bad) for bad in ("", "a:b", "a#b", "a,b", "$a", "a b", "ü", "a\n", "n" * 65))


def test_a_tenants_names_begin_alike() -> None:
    """With its tag of the epoch; another tenant's do not, nor do its own after a revocation; users differ behind it."""
    tag = _PRINCIPALS.tag("t1", 0)
    names = [_PRINCIPALS.of("t1", user, Epoch()) for user in ("u1", "u2")]
    assert {name[: len(tag)] for name in names} == {tag}
    assert len({name[len(tag) :] for name in names}) == 2
    others = [_PRINCIPALS.of("t2", "u1", Epoch()), _PRINCIPALS.of("t1", "u1", Epoch(1, 0))]
    assert not any(name.startswith(tag) for name in others)
    assert _PRINCIPALS.of("t1", "u1", Epoch(0, 1)).startswith(tag)
