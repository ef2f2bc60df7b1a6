"""What becomes of a browser's commands, frame by frame; the hub's answers are written by hand."""

import json
from typing import Any

import jwt
import pytest

from gateway.websocket import session as rules
from gateway.websocket.endings import (
    BAD_REQUEST,
    CONNECTION_LIMIT,
    INVALID_TOKEN,
    TOO_MANY_REQUESTS,
)
from gateway.websocket.session import BrowserSession
from gateway.websocket.slots import ConnectionSlots, SlotLimits
from gateway.websocket.token import Claims, claims_of
from gateway.websocket.users import SUBSCRIBES_BURST

LIMITS = SlotLimits(connected=10, per_address=10, per_user=1, waiting=10, waiting_per_address=10)
WELCOME = '{"id":1,"connect":{"client":"c"}}'


def token(**claims: Any) -> str:
    """Return a token that no hub has to accept."""
    return jwt.encode({"sub": "p1", "namespaces": ["orders"], **claims}, "s" * 32, algorithm="HS256")


def line(number: int, name: str, body: Any) -> str:
    """Return a command."""
    return json.dumps({"id": number, name: body})


def created(slots: ConnectionSlots | None = None) -> BrowserSession:
    """Return the session of a browser that has said nothing yet."""
    slots = slots or ConnectionSlots(LIMITS)
    return BrowserSession(slots.enter("a"), slots)


def connected(**claims: Any) -> BrowserSession:
    """Return one that the hub has welcomed."""
    session = created()
    assert session.check(line(1, "connect", {"token": token(**claims)})).ending is None
    assert session.read(WELCOME).ending is None
    return session


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        (token(), Claims("p1", frozenset({"orders"}))),
        (jwt.encode({"sub": "p1"}, "s" * 32), Claims("p1", None)),
        (token(namespaces=[]), Claims("p1", frozenset())),
        (token(namespaces=[7]), None),
        (token(namespaces="orders"), None),
        ("", None),
        ("a.b", None),
        ("a.!.c", None),
        ("a." + "ü" + ".c", None),
        ("a.bnVsbA.c", None),
    ],
)
def test_a_tokens_claims(text: str, claims: Claims | None) -> None:
    """Read where they are what they should be, else none."""
    assert claims_of(text) == claims


@pytest.mark.parametrize(
    "channel", ["orders#p2", "orders", "", "other#p1", "orders#p1,p2", "orders##p1", "a:orders#p1"]
)
def test_a_token_opens_what_it_lists(channel: str) -> None:
    """The exact names and no other."""
    claims = Claims("p1", frozenset({"orders"}))
    assert claims.opens("orders#p1")
    assert not claims.opens(channel)


@pytest.mark.parametrize("channel", ["a#p2", "#p1", "a b#p1", "$a#p1", "a:b#p1", f"{'a' * 65}#p1", "a#b#p1"])
def test_a_token_that_lists_nothing_opens_what_could_have_been_issued(channel: str) -> None:
    """Names of the user's, in the form that namespaces have."""
    claims = Claims("p1", None)
    assert claims.opens("anything#p1")
    assert not claims.opens(channel)


async def test_a_session_passes_on_what_it_understood() -> None:
    """Known fields only, each once."""
    session = connected()
    checked = session.check('{"id":2, "x":1, "subscribe":{"channel":"a#p1","channel":"orders#p1","recover":true}}\n{}')
    assert checked.for_hub == ['{"id":2,"subscribe":{"channel":"orders#p1","recover":true}}', "{}"]
    assert (checked.for_browser, checked.ending) == ([], None)


async def test_the_hubs_frames_are_read_while_a_token_is_with_it_only() -> None:
    """From connect or refresh to the answer."""
    session = created()
    assert not session.awaits_reply
    session.check(line(1, "connect", {"token": token()}))
    assert session.awaits_reply
    session.read('{}\n{"push":{"channel":"orders#p1"}}\nno JSON at all')
    assert session.awaits_reply
    session.read(WELCOME)
    assert not session.awaits_reply
    session.check(line(5, "refresh", {"token": token(namespaces=["orders", "news"])}))
    assert session.check(line(6, "subscribe", {"channel": "news#p1"})).for_hub == []
    session.read('{"id":5,"subscribe":{}}')
    assert session.check(line(7, "subscribe", {"channel": "news#p1"})).for_hub == []


async def test_a_refresh_counts_from_its_answer_on() -> None:
    """And not where the hub answers with an error."""
    session = connected()
    for reply, count in (('{"id":5,"error":{"code":109}}', 0), ('{"id":5,"refresh":{"ttl":7}}', 1)):
        session.check(line(5, "refresh", {"token": token(namespaces=["orders", "news"])}))
        session.read(reply)
        assert len(session.check(line(6, "subscribe", {"channel": "news#p1"})).for_hub) == count


async def test_commands_wait_for_the_answer_to_connect() -> None:
    """Then each goes its way; where the hub says no, the connection ends."""
    session = created()
    checked = session.check(
        "\n".join(
            [
                line(1, "connect", {"token": token()}),
                line(2, "subscribe", {"channel": "orders#p1"}),
                line(3, "subscribe", {"channel": "other#p1"}),
            ]
        )
    )
    assert len(checked.for_hub) == 1
    released = session.read(WELCOME)
    assert released.for_hub == ['{"id":2,"subscribe":{"channel":"orders#p1"}}']
    assert [json.loads(reply)["id"] for reply in released.for_browser] == [3]
    refused = created()
    refused.check(line(1, "connect", {"token": token()}) + "\n" + line(2, "subscribe", {"channel": "orders#p1"}))
    assert refused.read('{"id":1,"error":{"code":109,"message":"token expired"}}').ending == BAD_REQUEST


async def test_what_waits_is_bounded() -> None:
    """64 KB of commands."""
    session = created()
    session.check(line(1, "connect", {"token": token()}))
    assert session.check("x" * (rules.MAX_HELD // 2)).ending is None
    assert session.check("x" * (rules.MAX_HELD // 2 + 1)).ending == BAD_REQUEST


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "[]",
        "7",
        "[" * 30_000,
        '{"id":-1}',
        '{"id":4294967296}',
        '{"id":"2","subscribe":{"channel":"orders#p1"}}',
        '{"id":2,"subscribe":{"channel":7}}',
        '{"id":2,"subscribe":{"channel":"\\ud800#p1"}}',
        '{"subscribe":{"channel":"orders#p1"}}',
        '{"id":2,"subscribe":{"channel":"orders#p1"},"unsubscribe":{"channel":"orders#p1"}}',
        '{"id":2,"connect":{"token":"x"}}',
        '{"send":{"data":1}}',
    ],
)
async def test_what_no_client_sends_ends_the_connection(text: str) -> None:
    """With the hub's own code, and nothing of it reaches the hub."""
    session = connected()
    checked = session.check(text)
    assert (checked.ending, checked.for_hub) == (BAD_REQUEST, [])


async def test_a_long_name_of_a_client_is_refused() -> None:
    """The hub would keep it as long as the connection lasts."""
    assert created().check(line(1, "connect", {"token": token(), "name": "x" * 256})).ending == BAD_REQUEST


async def test_a_token_that_cannot_be_read_is_not_admitted() -> None:
    """Even by a hub that accepts it."""
    session = created()
    session.check(line(1, "connect", {"token": "x"}))
    assert session.read(WELCOME).ending == INVALID_TOKEN


async def test_a_user_past_the_limit_is_ended_before_the_welcome() -> None:
    """The browser never hears it."""
    slots = ConnectionSlots(LIMITS)
    first, second = created(slots), created(slots)
    for session in (first, second):
        session.check(line(1, "connect", {"token": token()}))
    assert first.read(WELCOME).ending is None
    assert second.read(WELCOME).ending == CONNECTION_LIMIT


async def test_commands_are_counted_over_messages() -> None:
    """Pings as well."""
    session = connected()
    for _ in range(rules.COMMANDS_BURST // 2):
        assert session.count() is None
    assert session.check("\n".join(["{}"] * (rules.COMMANDS_BURST // 2 + 50))).ending == TOO_MANY_REQUESTS


async def test_a_user_has_one_subscribe_rate_over_all_connections() -> None:
    """111, with which clients try again later."""
    slots = ConnectionSlots(
        SlotLimits(connected=100, per_address=100, per_user=100, waiting=10, waiting_per_address=10)
    )
    join = "\n".join([line(2, "subscribe", {"channel": "orders#p1"})] * 200)
    codes: list[int] = []
    for _ in range(SUBSCRIBES_BURST // 200 + 2):
        session = created(slots)
        session.check(line(1, "connect", {"token": token()}))
        session.read(WELCOME)
        codes += [json.loads(reply)["error"]["code"] for reply in session.check(join).for_browser]
    assert set(codes) == {111}


async def test_channels_joined_with_connect_are_those_listed() -> None:
    """None where the token lists none."""
    subs = {"orders#p1": {"recover": True}, "other#p1": {}}
    checked = created().check(line(1, "connect", {"token": token(), "subs": subs}))
    assert json.loads(checked.for_hub[0])["connect"]["subs"] == {"orders#p1": {"recover": True}}
    unlisted = jwt.encode({"sub": "p1"}, "s" * 32)
    checked = created().check(line(1, "connect", {"token": unlisted, "subs": subs}))
    assert "subs" not in json.loads(checked.for_hub[0])["connect"]
