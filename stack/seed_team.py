"""What the demo tenant has for Sendmator's API: a key, its team, and a workflow that the printed event starts."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc.aio
import msgspec

from clarion.common.v1 import error_pb2
from clarion.ingest.v1 import keys_pb2, keys_pb2_grpc, tenants_pb2
from clarion.router.v1 import catalogs_pb2, catalogs_pb2_grpc, workflows_pb2, workflows_pb2_grpc
from stack.folder import Demo

EVENT_TYPE = "user_signup"
TEMPLATE = "welcome"

_NAME = "Welcome"
_STEP = {"id": "welcome", "name": "Welcome", "kind": "send", "channel": "EMAIL", "template": {"key": TEMPLATE}}
# As the plan that customers begin with: the answers show what is left of it.
_RATE = tenants_pb2.Rate(window_s=3_600, bound=1_000, kind=error_pb2.LIMIT_KIND_SLIDING)


async def create(
    do: Callable[[Any, Any], Awaitable[Any]],
    ingest: "grpc.aio.Channel",
    router: "grpc.aio.Channel",
    demo: Demo,
) -> Demo:
    """Create what is missing, and return the demo tenant with its key and team. do: calls a service."""
    if not demo.team_key:
        catalogs = catalogs_pb2_grpc.CatalogServiceStub(router)
        team = await do(catalogs.GetEnvironment, catalogs_pb2.GetEnvironmentRequest(tenant_id=demo.tenant_id))
        keys = keys_pb2_grpc.KeyServiceStub(ingest)
        request = keys_pb2.CreateKeyRequest(
            tenant_id=demo.tenant_id, name="Local stack", kind="sendmator", prefix="sk_test_", rates=[_RATE]
        )
        key = await do(keys.CreateKey, request)
        demo = msgspec.structs.replace(demo, team_key=key.api_key, team=team.environment.id)
    workflows = workflows_pb2_grpc.WorkflowServiceStub(router)
    listed = await do(
        workflows.ListWorkflows, workflows_pb2.ListWorkflowsRequest(tenant_id=demo.tenant_id, event_type=EVENT_TYPE)
    )
    if not listed.workflows:
        workflow = workflows_pb2.Workflow(
            tenant_id=demo.tenant_id,
            scope=demo.team,
            name=_NAME,
            event_type=EVENT_TYPE,
            active=True,
            document=msgspec.json.encode({"steps": [_STEP]}),
        )
        await do(workflows.CreateWorkflow, workflows_pb2.CreateWorkflowRequest(workflow=workflow))
    return demo
