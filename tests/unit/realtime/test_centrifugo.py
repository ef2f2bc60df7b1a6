"""What is generated is safe; each way to open it is named."""

import copy
from typing import Any

import pytest

from services.realtime.centrifugo import configuration, unsafe_settings


def _generated() -> dict[str, Any]:
    return configuration(
        token_secret="s" * 32, api_key="k", allowed_origins=["https://app.example.com"], address="", port=8000
    )


def test_the_generated_configuration_is_safe() -> None:
    """And keeps what a page may miss: 50 publications for ten minutes."""
    assert unsafe_settings(_generated()) == []
    assert _generated()["channel"]["without_namespace"] == {
        "allow_user_limited_channels": True,
        "history_size": 50,
        "history_ttl": "600s",
        "force_recovery": True,
    }


def test_the_generated_configuration_bounds_what_one_token_takes() -> None:
    """Channels, connections, the length of names, and how long unused channels are remembered: over ten minutes."""
    generated = _generated()
    assert (generated["client"]["channel_limit"], generated["client"]["user_connection_limit"]) == (128, 128)
    assert generated["channel"]["history_meta_ttl"] == "900s"
    assert generated["channel"]["max_length"] == len("n" * 64 + "#" + "p" * 32)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("channel.without_namespace.allow_subscribe_for_client", True),
        ("channel.without_namespace.allow_subscribe_for_client", "true"),
        ("channel.without_namespace.allow_subscribe_for_anonymous", True),
        ("channel.without_namespace.allow_publish_for_subscriber", True),
        ("channel.without_namespace.allow_publish_for_client", True),
        ("channel.without_namespace.allow_history_for_client", True),
        ("channel.without_namespace.allow_user_limited_channels", False),
        ("channel.without_namespace.presence", True),
        ("channel.without_namespace.join_leave", True),
        ("channel.without_namespace.history_size", 0),
        ("channel.without_namespace.force_recovery", False),
        ("channel.without_namespace", None),
        ("channel", {}),
        ("channel.history_meta_ttl", None),
        ("channel.history_meta_ttl", "720h"),
        ("channel.history_meta_ttl", "1h1s"),
        ("channel.history_meta_ttl", "soon"),
        ("channel.without_namespace.history_meta_ttl", "2h"),
        ("client.channel_limit", 129),
        ("client.channel_limit", "many"),
        ("client.user_connection_limit", 0),
        ("client.user_connection_limit", None),
        ("client.user_connection_limit", "many"),
        ("client.insecure", True),
        ("client.insecure_skip_token_signature_verify", True),
        ("client.allow_anonymous_connect_without_token", True),
        ("client.token", {}),
        ("client.token.hmac_secret_key", "short"),
        ("client.allowed_origins", []),
        ("client.allowed_origins", ["*"]),
        ("http_api.key", ""),
        ("http_api.insecure", True),
        ("admin", {"enabled": True, "insecure": True}),
        ("grpc_api", {"enabled": True}),
        ("broker", {"nats": {"allow_wildcards": True}}),
    ],
)
def test_one_unsafe_setting_is_found_and_named(path: str, value: Any) -> None:
    """Each alone, in an otherwise safe configuration."""
    config = copy.deepcopy(_generated())
    *parents, last = path.split(".")
    section = config
    for parent in parents:
        section = section[parent]
    section[last] = value
    assert unsafe_settings(config) != []


def test_an_empty_configuration_is_named_for_all_it_lacks() -> None:
    """Rather than a traceback."""
    assert len(unsafe_settings({})) >= 4


def test_a_short_memory_may_be_set_where_the_channels_are() -> None:
    """Their own option counts before that of all channels."""
    config = _generated()
    config["channel"]["history_meta_ttl"] = "720h"
    config["channel"]["without_namespace"]["history_meta_ttl"] = "1h"
    assert unsafe_settings(config) == []


def test_a_grpc_api_with_a_key_is_fine() -> None:
    """It is only open without one."""
    assert unsafe_settings(_generated() | {"grpc_api": {"enabled": True, "key": "k"}}) == []
