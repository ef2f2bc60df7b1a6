"""What is refused before anything is compiled."""

import pytest

from services.render.faults import tenant_faults


@pytest.mark.parametrize("tenant_id", ["a.b*", "t" * 65, "platform", "T1"])
def test_what_is_no_tenant_s_id(tenant_id: str) -> None:
    """It becomes part of a configuration key, where another spelling would be another tenant."""
    assert [fault.field for fault in tenant_faults(tenant_id)] == ["tenant_id"]
