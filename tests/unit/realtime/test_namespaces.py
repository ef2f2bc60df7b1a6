"""The index of push namespaces follows the configuration."""

import json

import pytest

from services.domain import topology
from services.realtime.namespaces import Namespaces


def _value(*templates: tuple[str, str]) -> bytes:
    items = [
        {"channel": channel, "template_version_id": "v1", "push_namespace": namespace}
        for channel, namespace in templates
    ]
    return json.dumps(items).encode()


def test_each_active_push_template_counts_and_only_for_its_tenant() -> None:
    """E-mail templates have no namespace; an empty one is the global channel, which everyone has."""
    index = Namespaces()
    index.apply(topology.templates_key("t1", "order.paid"), _value(("PUSH", "orders"), ("EMAIL", "")))
    index.apply(topology.templates_key("t1", "bill.due"), _value(("PUSH", "bills")))
    index.apply(topology.templates_key("t1", "other"), _value(("PUSH", "")))
    index.apply(topology.templates_key("t2", "order.paid"), _value(("PUSH", "secrets")))
    assert index.of("t1") == {"orders", "bills"}
    assert index.of("t2") == {"secrets"}
    assert index.of("t3") == set()


def test_a_changed_or_removed_key_takes_its_namespaces_with_it() -> None:
    """But not those that another event type still names."""
    index = Namespaces()
    paid, due = topology.templates_key("t1", "order.paid"), topology.templates_key("t1", "bill.due")
    index.apply(paid, _value(("PUSH", "orders"), ("PUSH", "shared")))
    index.apply(due, _value(("PUSH", "shared")))
    index.apply(paid, _value(("PUSH", "orders-2")))
    assert index.of("t1") == {"orders-2", "shared"}
    index.apply(paid, None)
    assert index.of("t1") == {"shared"}
    index.apply(due, None)
    assert index.of("t1") == set()


def test_a_platform_template_reaches_every_tenant() -> None:
    """Its namespace, where it names one, is a channel of every user."""
    index = Namespaces()
    index.apply(topology.templates_key("", "global.alert"), _value(("PUSH", "announcements")))
    assert index.of("t1") == {"announcements"}


@pytest.mark.parametrize("value", [b"", b"{}", b"nonsense", b'[{"push_namespace": 3}]'])
def test_a_value_of_another_shape_is_an_error_and_changes_nothing(value: bytes) -> None:
    """The watch logs it and goes on."""
    index = Namespaces()
    key = topology.templates_key("t1", "order.paid")
    index.apply(key, _value(("PUSH", "orders")))
    with pytest.raises(ValueError, match=r".+"):
        index.apply(key, value)
    assert index.of("t1") == {"orders"}
