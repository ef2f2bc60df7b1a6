"""Centrifugo's configuration: generated for the stack and for deployments, and checked for what would open it.

Clarion's channels have no namespace in Centrifugo's sense (that takes a ":"), so the options that matter are
those of ``channel.without_namespace``.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from services.realtime.principal import MAX_CHANNEL_LENGTH, MAX_CHANNELS

# HS256 is as strong as its key.
MIN_SECRET_BYTES = 32

# A channel's position takes about 1.5 KB of the hub, from its first subscriber on; unused, it is forgotten after this
# long: more than history_ttl, so that who was away for less than that recovers.
HISTORY_META_TTL_S = 900
MAX_HISTORY_META_TTL_S = 3600
# Of one user at one hub; a gateway allows fewer (CLARION_MAX_WEBSOCKETS_PER_USER).
USER_CONNECTION_LIMIT = 128
# Where a configuration names none, Centrifugo takes these.
_DEFAULT_HISTORY_META_TTL = "720h"
_DEFAULT_CHANNEL_LIMIT = 128

# Anything of this kind lets a browser do more than read its own user's channels.
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
    ("client.insecure", "anyone connects as anyone"),
    ("client.insecure_skip_token_signature_verify", "anyone can write a token"),
    ("client.allow_anonymous_connect_without_token", "connections need no token"),
    ("http_api.insecure", "anyone who reaches the HTTP API can publish"),
    ("admin.insecure", "anyone who reaches the admin API can publish"),
    ("broker.nats.allow_wildcards", "a channel named with * or > crosses users"),
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

    allowed_origins: such as "https://app.example.com"; the pages that may connect. address: what to listen on.
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
    """Return one sentence for each setting that is unsafe, or that Clarion's pushes cannot work with."""
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
        faults.append("channel.without_namespace needs history_size, history_ttl and force_recovery: pushes get lost.")
    return [*faults, *_memory_faults(config), *_key_faults(config), *_origin_faults(config)]


def _memory_faults(config: Mapping[str, Any]) -> list[str]:
    """Name what lets one user's token fill the hub's memory."""
    faults = []
    remembered = (
        _at(config, "channel.without_namespace.history_meta_ttl")
        or _at(config, "channel.history_meta_ttl")
        or _DEFAULT_HISTORY_META_TTL
    )
    if _seconds(remembered) > MAX_HISTORY_META_TTL_S:
        faults.append(
            f"channel.history_meta_ttl is {remembered}: set it to at most {MAX_HISTORY_META_TTL_S}s, "
            "or channels that nobody uses fill the hub's memory."
        )
    limit = _at(config, "client.channel_limit")
    if _number(limit, _DEFAULT_CHANNEL_LIMIT) > MAX_CHANNELS:
        faults.append(f"client.channel_limit is {limit}: set it to {MAX_CHANNELS}, as many as a user's token opens.")
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
    """Read a number, or its text; infinite where it is neither."""
    try:
        return int(default if value is None else value)
    except (TypeError, ValueError):
        return float("inf")


def _seconds(duration: Any) -> float:
    """Read a duration in Go's notation, such as "1h30m"; infinite where it is none."""
    text = str(duration)
    if not _DURATION.fullmatch(text):
        return float("inf")
    return sum(float(number) * _UNITS_S[unit] for number, unit in _DURATION_PART.findall(text))


def _is_on(value: Any) -> bool:
    """Tell whether Centrifugo would read this as true: a boolean, or its text as an environment variable has it."""
    return value is True or str(value).lower() in ("true", "1", "t")
