"""What a tenant's configuration compiles to, also if a later version wrote it."""

import msgspec

from clarion.common.v1 import event_pb2
from services.router import compiler
from services.router.definitions import Template

EMAIL = event_pb2.CHANNEL_EMAIL


def test_channels_of_a_later_version_are_left_out() -> None:
    """The tenant's other channels go on."""
    templates = [{"channel": name, "template_version_id": f"v-{name}"} for name in ("FAX", "EMAIL")]
    of_owner: compiler.ActiveTemplate = event_pb2.Channel.ValueType(99), Template("v-99")  # by gRPC, as a number
    found = [*compiler.active_templates(msgspec.json.encode(templates), None), of_owner]
    [workflow] = compiler.workflows(found)
    assert [(step.name, step.templates) for step in workflow.steps] == [("email", [Template("v-EMAIL")])]
    providers = msgspec.json.encode([{"id": "f", "channel": "FAX"}, {"id": "m", "channel": "EMAIL"}])
    assert compiler.provider_ids(providers, EMAIL) == ["m"]


def test_a_tenant_with_a_later_versions_channels_only_may_use_no_other() -> None:
    """Left out, they would allow all."""
    assert EMAIL not in compiler.allowed_channels(b'{"delivery_channels": ["FAX"]}')
    assert compiler.allowed_channels(b'{"delivery_channels": ["FAX"]}')
    assert EMAIL in compiler.allowed_channels(b'{"delivery_channels": ["FAX", "EMAIL"]}')
    assert not compiler.allowed_channels(b"{}")
