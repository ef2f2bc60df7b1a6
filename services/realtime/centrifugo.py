"""Centrifugo's configuration: generated for the stack and for deployments, and checked for what would open it.

Clarion's channels have no namespace in Centrifugo's sense (that takes a ":"), so the options that matter are
those of ``channel.without_namespace``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

# HS256 is as strong as its key.
MIN_SECRET_BYTES = 32

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
        "client": {"token": {"hmac_secret_key": token_secret}, "allowed_origins": list(allowed_origins)},
        "http_api": {"key": api_key},
        "channel": {
            "without_namespace": {
                "allow_user_limited_channels": True,
                "history_size": 50,
                "history_ttl": "600s",
                "force_recovery": True,
            }
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
    return [*faults, *_key_faults(config), *_origin_faults(config)]


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


def _is_on(value: Any) -> bool:
    """Tell whether Centrifugo would read this as true: a boolean, or its text as an environment variable has it."""
    return value is True or str(value).lower() in ("true", "1", "t")
