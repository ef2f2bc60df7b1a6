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


def test_a_grpc_api_with_a_key_is_fine() -> None:
    """It is only open without one."""
    assert unsafe_settings(_generated() | {"grpc_api": {"enabled": True, "key": "k"}}) == []
