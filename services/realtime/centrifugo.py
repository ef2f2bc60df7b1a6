"""Generates Centrifugo's configuration for the local stack and for deployments, and finds unsafe settings in one.

Clarion's channels contain no ":", so they have no namespace in Centrifugo's sense. The options of
``channel.without_namespace`` apply to them.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from services.realtime.principal import MAX_CHANNEL_LENGTH, MAX_CHANNELS

# The strength of HS256 depends on its key.
MIN_SECRET_BYTES = 32

# A channel takes about 1.5 KB of the hub's memory from its first subscriber on, until it has been unused for this long.
# It must be more than history_ttl, so that a page that was away for less than that can recover.
HISTORY_META_TTL_S = 900
MAX_HISTORY_META_TTL_S = 3600
# Connections of one user at one hub. A gateway allows fewer (CLARION_MAX_WEBSOCKETS_PER_USER).
USER_CONNECTION_LIMIT = 128
# Centrifugo's defaults.
_DEFAULT_HISTORY_META_TTL = "720h"
_DEFAULT_CHANNEL_LIMIT = 128

# Each of these options lets a browser do more than read its own user's channels.
_FORBIDDEN_CHANNEL_OPTIONS = (
    "allow_subscribe_for_client",
    "allow_subscribe_for_anonymous",
    "allow_publish_for_client",
    "allow_publish_for_subscriber",
    "allow_publish_for_anonymous",
    "allow_history_for_client",
    "allow_history_for_subscriber",
    "allow_history_for_anonymous",
    "allow_presence_for_client",
    "allow_presence_for_subscriber",
    "allow_presence_for_anonymous",
    "presence",
    "join_leave",
    "force_push_join_leave",
)
_UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")
_DURATION = re.compile(f"(?:{_DURATION_PART.pattern})+")

_FORBIDDEN = (
    ("client.insecure", "anyone can connect as any user"),
    ("client.insecure_skip_token_signature_verify", "anyone can forge a token"),
    ("client.allow_anonymous_connect_without_token", "connections need no token"),
    ("http_api.insecure", "anyone who reaches the HTTP API can publish"),
    ("admin.insecure", "anyone who reaches the admin API can publish"),
    ("broker.nats.allow_wildcards", "a channel name with * or > reads the channels of other users"),
)


def configuration(
    *,
    token_secret: str,
    api_key: str,
    allowed_origins: Sequence[str],
    address: str = "127.0.0.1",
    port: int = 8000,
    log_level: str = "info",
) -> dict[str, Any]:
    """Return the content of centrifugo.json, for Centrifugo v6 and for the local hub.

    allowed_origins: the origins whose pages may connect, such as "https://app.example.com". address: to listen on.
    """
    return {
        "http_server": {"address": address, "port": port},
        "client": {
            "token": {"hmac_secret_key": token_secret},
            "allowed_origins": list(allowed_origins),
            "channel_limit": MAX_CHANNELS,
            "user_connection_limit": USER_CONNECTION_LIMIT,
        },
        "http_api": {"key": api_key},
        "channel": {
            "without_namespace": {
                "allow_user_limited_channels": True,
                "history_size": 50,
                "history_ttl": "600s",
                "force_recovery": True,
            },
            "history_meta_ttl": f"{HISTORY_META_TTL_S}s",
            "max_length": MAX_CHANNEL_LENGTH,
        },
        "health": {"enabled": True},
        "prometheus": {"enabled": True},
        "log": {"level": log_level},
        "usage_stats": {"disabled": True},
    }


def unsafe_settings(config: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each setting that is unsafe or prevents Clarion's pushes."""
    rules = _at(config, "channel.without_namespace") or {}
    faults = [f"{path} is on: {why}." for path, why in _FORBIDDEN if _is_on(_at(config, path))]
    faults += [
        f"channel.without_namespace.{option} must be off."
        for option in _FORBIDDEN_CHANNEL_OPTIONS
        if _is_on(rules.get(option))
    ]
    if not _is_on(rules.get("allow_user_limited_channels")):
        faults.append("channel.without_namespace.allow_user_limited_channels must be on: nobody could subscribe.")
    if not (rules.get("history_size") and rules.get("history_ttl") and _is_on(rules.get("force_recovery"))):
        faults.append(
            "channel.without_namespace needs history_size, history_ttl and force_recovery: otherwise pushes are lost."
        )
    return [*faults, *_memory_faults(config), *_key_faults(config), *_origin_faults(config)]


def _memory_faults(config: Mapping[str, Any]) -> list[str]:
    """Return one sentence for each setting with which one user's token could fill the hub's memory."""
    faults = []
    remembered = (
        _at(config, "channel.without_namespace.history_meta_ttl")
        or _at(config, "channel.history_meta_ttl")
        or _DEFAULT_HISTORY_META_TTL
    )
    if _seconds(remembered) > MAX_HISTORY_META_TTL_S:
        faults.append(
            f"channel.history_meta_ttl is {remembered}: set it to at most {MAX_HISTORY_META_TTL_S}s, "
            "otherwise unused channels fill the hub's memory."
        )
    limit = _at(config, "client.channel_limit")
    if _number(limit, _DEFAULT_CHANNEL_LIMIT) > MAX_CHANNELS:
        faults.append(
            f"client.channel_limit is {limit}: set it to {MAX_CHANNELS}, the number of channels that a token allows."
        )
    if not 0 < _number(_at(config, "client.user_connection_limit"), 0) < float("inf"):
        faults.append("client.user_connection_limit is missing: one user's token could take every connection.")
    return faults


def _key_faults(config: Mapping[str, Any]) -> list[str]:
    faults = []
    if len(str(_at(config, "client.token.hmac_secret_key") or "").encode()) < MIN_SECRET_BYTES:
        faults.append(f"client.token.hmac_secret_key must have at least {MIN_SECRET_BYTES} bytes.")
    if not _at(config, "http_api.key"):
        faults.append("http_api.key is missing.")
    if _is_on(_at(config, "grpc_api.enabled")) and not _at(config, "grpc_api.key"):
        faults.append("grpc_api is on without a key: anyone who reaches it can publish.")
    return faults


def _origin_faults(config: Mapping[str, Any]) -> list[str]:
    origins = _at(config, "client.allowed_origins") or []
    if not origins:
        return ["client.allowed_origins is empty: no page could connect."]
    if "*" in origins:
        return ["client.allowed_origins has *: any page could connect with a stolen token."]
    return []


def _at(config: Mapping[str, Any], path: str) -> Any:
    value: Any = config
    for part in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def _number(value: Any, default: int) -> float:
    """Return a number or the number in a text; infinity for anything else."""
    try:
        return int(default if value is None else value)
    except (TypeError, ValueError):
        return float("inf")


def _seconds(duration: Any) -> float:
    """Return the seconds of a duration in Go's notation, such as "1h30m"; infinity for anything else."""
    text = str(duration)
    if not _DURATION.fullmatch(text):
        return float("inf")
    return sum(float(number) * _UNITS_S[unit] for number, unit in _DURATION_PART.findall(text))


def _is_on(value: Any) -> bool:
    """Return whether Centrifugo reads this as true: a boolean, or a text as in an environment variable."""
    return value is True or str(value).lower() in ("true", "1", "t")
