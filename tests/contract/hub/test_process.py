"""Configuration, tokens and the life of the process."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest

from .servers import API_KEY, SECRET, Engine, Server, config_with, running
from .wire import Closed, Wire, connected, token_for

INVALID_TOKEN = Closed(3500, "invalid token")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"clients": {}}, "the hub does not know the key clients"),
        ({"client": {"tokens": {}}}, "the hub does not know the key client.tokens"),
        (
            {"channel": {"namespaces": [{"name": "ops", "presence": True}]}},
            "the hub does not know the key channel.namespaces[0].presence",
        ),
        ({"client": {"insecure": True}}, "client.insecure must be false"),
        ({"client": {"token": {"hmac_secret_key": ""}}}, "hmac_secret_key is missing"),
        ({"http_api": {"key": ""}}, "http_api.key is missing"),
        ({"channel": {"without_namespace": {"history_size": 0}}}, "only work together"),
        ({"client": {"ping_interval": "soon"}}, "no duration"),
        ({"client": {"channel_limit": 0}}, "client.channel_limit must be positive"),
        ({"client": {"user_connection_limit": -1}}, "client.user_connection_limit must not be negative"),
        ({"channel": {"max_length": 0}}, "channel.max_length must be positive"),
        ({"channel": {"history_meta_ttl": "599s"}}, "history_ttl must not be longer than history_meta_ttl"),
        ({"channel": {"without_namespace": {"history_meta_ttl": "599s"}}}, "must not be longer than"),
        ({"channel": {"history_meta_ttl": "1500ms"}}, "must be whole seconds"),
        ({"log": {"level": "loud"}}, "log.level"),
    ],
)
def test_a_wrong_configuration_is_refused(
    clarion_hub: Engine, tmp_path: Path, change: dict[str, Any], sentence: str
) -> None:
    """Our hub ends with one sentence that names the key, where Centrifugo would only warn."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config_with(**change)))
    assert sentence in _refusal(clarion_hub, path)


def test_a_missing_configuration_is_refused(clarion_hub: Engine, tmp_path: Path) -> None:
    """Our hub does not start on defaults, as Centrifugo would, on all addresses."""
    assert "none.json" in _refusal(clarion_hub, tmp_path / "none.json")


def test_a_port_in_use_is_refused(server: Server, clarion_hub: Engine, tmp_path: Path) -> None:
    """The sentence names the address."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config_with(http_server={"port": server.port})))
    assert f"127.0.0.1:{server.port}" in _refusal(clarion_hub, path)


def test_the_address_is_loopback_unless_told_otherwise(clarion_hub: Engine, tmp_path: Path) -> None:
    """An address left out is not "all interfaces"."""
    with running(clarion_hub, tmp_path, http_server={"address": ""}) as started:
        assert f"address=127.0.0.1:{started.port}" in started.log.read_text()


def _refusal(hub: Engine, path: Path) -> str:
    done = subprocess.run([hub.program, "--config", path], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    return done.stderr


async def test_sigterm_tells_the_clients(start_server: Callable[..., Server]) -> None:
    """A stopping server closes with the code that makes clients reconnect, and exits with 0."""
    server = start_server()
    async with (
        aiohttp.ClientSession() as session,
        connected(session, server, token_for("p1")) as wire,
    ):
        stopping = asyncio.create_task(asyncio.to_thread(server.stop))
        assert await wire.next() == Closed(3001, "shutdown")
        assert await stopping == 0


async def test_the_previous_key_still_opens(start_server: Callable[..., Server]) -> None:
    """During a rotation tokens of both keys are good, others are not."""
    keys = {"hmac_secret_key": "new" * 12, "hmac_previous_secret_key": SECRET}
    server = start_server(client={"token": keys})
    async with aiohttp.ClientSession() as session:
        for key in keys.values():
            async with connected(session, server, token_for("p1", secret=key)):
                pass
        async with session.ws_connect(server.ws_url) as socket:
            other = {"id": 1, "connect": {"token": token_for("p1", secret="x" * 32)}}
            assert await Wire(socket).ask(other) == INVALID_TOKEN


def _unsigned() -> str:
    return jwt.encode({"sub": "p1"}, "", algorithm="none")


def _cut_short() -> str:
    return token_for("p1").rsplit(".", 1)[0] + "."


def _for_a_subscription() -> str:
    return token_for("p1", channel="orders#p1")


def _tampered() -> str:
    head, _, signature = token_for("p1").split(".")
    return f"{head}.{token_for('p2').split('.')[1]}.{signature}"


@pytest.mark.parametrize("make", [_unsigned, _cut_short, _for_a_subscription, _tampered])
async def test_a_forged_token_is_refused(server: Server, make: Callable[[], str]) -> None:
    """No token opens that was not signed, as it stands, with our key."""
    async with aiohttp.ClientSession() as session, session.ws_connect(server.ws_url) as socket:
        answer = await Wire(socket).ask({"id": 1, "connect": {"token": make()}})
    assert answer == INVALID_TOKEN


async def test_a_token_of_tomorrow_is_refused(server: Server) -> None:
    """`nbf` is honoured."""
    async with aiohttp.ClientSession() as session, session.ws_connect(server.ws_url) as socket:
        token = token_for("p1", ttl=None, nbf=4102444800)
        answer = await Wire(socket).ask({"id": 1, "connect": {"token": token}})
    assert isinstance(answer, dict)
    assert answer["error"]["code"] == 109


async def test_an_expired_connection_is_closed(start_server: Callable[..., Server]) -> None:
    """Who does not refresh in time is closed after the configured delay."""
    server = start_server(client={"expired_close_delay": "1s"})
    async with (
        aiohttp.ClientSession() as session,
        connected(session, server, token_for("p1", ttl=4)) as wire,
    ):
        assert await wire.next(30) == Closed(3005, "connection expired")


async def test_who_does_not_answer_pings_is_closed(start_server: Callable[..., Server]) -> None:
    """A ping without its pong ends the connection."""
    server = start_server(client={"ping_interval": "1s", "pong_timeout": "500ms"})
    async with (
        aiohttp.ClientSession() as session,
        connected(session, server, token_for("p1")) as wire,
    ):
        assert await wire.next() == {}
        assert await wire.next() == Closed(3012, "no pong")


async def test_rules_count_per_namespace(start_server: Callable[..., Server]) -> None:
    """User parts and open channels follow the rules of the channel's own namespace."""
    server = start_server(
        channel={
            "namespaces": [
                {"name": "mine", "allow_user_limited_channels": True},
                {"name": "open", "allow_subscribe_for_client": True},
            ]
        }
    )
    allowed = {
        "mine:orders#p1": True,
        "mine:orders#p2": False,
        "mine:orders": False,
        "open:news": True,
        "open:orders#p2": True,  # no user-limited channels here: a name like any other
        "orders#p1": True,
        "news": False,
    }
    async with (
        aiohttp.ClientSession() as session,
        connected(session, server, token_for("p1")) as wire,
    ):
        answers = {
            channel: await wire.ask({"id": number, "subscribe": {"channel": channel}})
            for number, channel in enumerate(allowed, start=2)
        }
    assert {
        channel: isinstance(answer, dict) and "subscribe" in answer for channel, answer in answers.items()
    } == allowed


async def test_nobody_joins_an_open_channel_without_a_name(
    start_server: Callable[..., Server],
) -> None:
    """Channels open to clients are closed to anonymous ones."""
    server = start_server(channel={"namespaces": [{"name": "open", "allow_subscribe_for_client": True}]})
    async with (
        aiohttp.ClientSession() as session,
        connected(session, server, token_for("")) as wire,
    ):
        answer = await wire.ask({"id": 2, "subscribe": {"channel": "open:news"}})
    assert isinstance(answer, dict)
    assert answer["error"]["code"] == 103


async def test_metrics_count_connections(server: Server) -> None:
    """/metrics speaks Prometheus, under Centrifugo's names."""
    async with (
        aiohttp.ClientSession() as session,
        connected(session, server, token_for("p1")),
        session.get(f"{server.http_url}/metrics") as answer,
    ):
        assert answer.status == 200
        assert "centrifugo_transport_messages_sent" in await answer.text()


async def test_metrics_are_off_unless_asked_for(start_server: Callable[..., Server]) -> None:
    """What the configuration does not enable is not there."""
    server = start_server(prometheus={"enabled": False})
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{server.http_url}/metrics") as answer,
    ):
        assert answer.status == 404


async def test_the_api_refuses_a_body_it_cannot_read(server: Server) -> None:
    """A batch with one unreadable command does nothing at all."""
    body = {"commands": [{"publish": {"channel": "half#c1", "data": 1}}, {"publish": 5}]}
    headers = {"X-API-Key": API_KEY}
    async with aiohttp.ClientSession(headers=headers) as session:
        async with session.post(f"{server.api_url}/batch", json=body) as answer:
            assert answer.status == 400
        history = {"channel": "half#c1", "limit": 1}
        async with session.post(f"{server.api_url}/history", json=history) as answer:
            assert (await answer.json())["result"]["publications"] == []
