"""Centrifugo's configuration: the safe one, and what is unsafe about another.

Two facts decide here. `orders#p1` has no ":", so it is in no namespace and takes the rules of
`channel.without_namespace`. And the part after "#" keeps strangers out only where
`allow_user_limited_channels` is on: otherwise `allow_subscribe_for_client` opens it to everyone.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from runtime.settings import Secret

# A browser that was away for less than this catches up by itself, from this many messages a channel.
_HISTORY_SIZE = 50
_HISTORY_TTL = "600s"
_LEAST_SECRET_LENGTH = 32

# What opens a channel, or shows who is on it, to whoever asks.
_OPEN = (
    "allow_subscribe_for_client",
    "allow_subscribe_for_anonymous",
    "allow_publish_for_client",
    "allow_publish_for_anonymous",
    "allow_publish_for_subscriber",
    "allow_history_for_client",
    "allow_history_for_anonymous",
    "allow_history_for_subscriber",
    "allow_presence_for_client",
    "allow_presence_for_anonymous",
    "allow_presence_for_subscriber",
)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What `clarion centrifugo-config` reads from CLARION_<NAME>."""

    centrifugo_token_secret: Secret
    centrifugo_api_key: Secret
    # Of the pages that connect, such as https://app.example.com.
    allowed_origins: tuple[str, ...]
    centrifugo_port: int = 8000


def configuration(
    *, host: str, port: int, token_secret: str, api_key: str, allowed_origins: Sequence[str]
) -> dict[str, Any]:
    """Return the content of a safe centrifugo.json, for Centrifugo v6 and the local hub alike."""
    return {
        "http_server": {"address": host, "port": port},
        "client": {
            "token": {"hmac_secret_key": token_secret},
            "allowed_origins": list(allowed_origins),
            "insecure": False,
        },
        "http_api": {"key": api_key},
        "channel": {
            "without_namespace": {
                "allow_user_limited_channels": True,
                "allow_subscribe_for_client": False,
                "history_size": _HISTORY_SIZE,
                "history_ttl": _HISTORY_TTL,
                "force_recovery": True,
            }
        },
        "health": {"enabled": True},
        "prometheus": {"enabled": True},
        "usage_stats": {"disabled": True},
    }


def faults(config: Mapping[str, Any]) -> list[str]:
    """Return what is unsafe or will not work in a centrifugo.json, a sentence each; empty: nothing."""
    return [*_channel_faults(config), *_client_faults(config), *_server_faults(config)]


def _channel_faults(config: Mapping[str, Any]) -> Iterator[str]:
    plain = _at(config, "channel.without_namespace") or {}
    if plain.get("allow_user_limited_channels") is not True:
        yield "channel.without_namespace.allow_user_limited_channels must be true, or nobody's channel is his own"
    if not plain.get("history_size") or not plain.get("history_ttl") or plain.get("force_recovery") is not True:
        yield "channel.without_namespace needs history_size, history_ttl and force_recovery, or a lost connection loses"
    namespaces = [("channel.without_namespace", plain)]
    namespaces += [(f"channel.namespaces {item.get('name')}", item) for item in _at(config, "channel.namespaces") or []]
    for where, options in namespaces:
        for name in _OPEN:
            if options.get(name):
                yield f"{where}.{name} must be false, or users read and write each other's channels"


def _client_faults(config: Mapping[str, Any]) -> Iterator[str]:
    if _at(config, "client.insecure"):
        yield "client.insecure must be false, or connections need no token"
    if _at(config, "client.allow_anonymous_connect_without_token"):
        yield "client.allow_anonymous_connect_without_token must be false, or connections need no token"
    if _at(config, "client.token.jwks_public_endpoint"):
        yield "client.token.jwks_public_endpoint must be absent: tokens are signed with the shared secret"
    if len(_at(config, "client.token.hmac_secret_key") or "") < _LEAST_SECRET_LENGTH:
        yield f"client.token.hmac_secret_key must have at least {_LEAST_SECRET_LENGTH} characters"
    origins = _at(config, "client.allowed_origins") or []
    if not origins:
        yield "client.allowed_origins is empty, so no browser may connect"
    if "*" in origins:
        yield "client.allowed_origins must not be *, or any web page may connect for its visitor"


def _server_faults(config: Mapping[str, Any]) -> Iterator[str]:
    if _at(config, "http_api.insecure") or not _at(config, "http_api.key"):
        yield "http_api.key must be set and http_api.insecure false, or anyone may publish"
    if _at(config, "grpc_api.enabled") and not _at(config, "grpc_api.key"):
        yield "grpc_api.key must be set where grpc_api.enabled is true, or anyone may publish"
    if _at(config, "admin.enabled"):
        yield "admin.enabled must be false: the admin page publishes to everyone"


def _at(config: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401 - JSON
    value: Any = config
    for part in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value
