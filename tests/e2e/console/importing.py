"""Imports of people by the admin API."""

from checks.client import Client
from tests.waiting import eventually

_ENDS_S = 60.0


async def imported(client: Client, tenant_id: str, name: str, file: bytes) -> str:
    """Import a CSV file, and return the import's id once it has ended."""
    operator = client.operator
    path = f"/tenants/{tenant_id}/imports"
    made = await operator.must("POST", path, json={"file_name": name})
    path += f"/{made['id']}"
    headers = {"Authorization": f"Bearer {operator.admin_token}", "Content-Type": "text/csv"}
    sent = await operator.http.call("PUT", f"/api/v1/admin{path}/file", headers=headers, data=file)
    assert sent.status == 202, sent.body

    async def has_ended() -> bool:
        return bool((await operator.must("GET", path))["finished_at"])

    await eventually(has_ended, _ENDS_S, every=0.2)
    return str(made["id"])
