"""The paths of workflows and of their runs, with their handlers."""

from gateway.admin.workflow_runs import WorkflowRunRoutes
from gateway.admin.workflows import WorkflowRoutes
from gateway.clients import Clients
from gateway.problems import RequestHandler
from gateway.revisions import Revisions

_WORKFLOWS = "/tenants/{id}/workflows"
_WORKFLOW = _WORKFLOWS + "/{workflow_id}"
_RUNS = "/tenants/{id}/workflow-runs"
_RUN = _RUNS + "/{workflow_run_id}"
_CHECK = "/tenants/{id}/workflow-check"
_DRY_RUN = "/tenants/{id}/workflow-dry-run"
# These POSTs change nothing.
ASKING = frozenset({_CHECK, _DRY_RUN})


def workflow_routes(clients: Clients, revisions: Revisions) -> list[tuple[str, str, RequestHandler]]:
    """Return method, path and handler of each call."""
    workflows, runs = WorkflowRoutes(clients, revisions), WorkflowRunRoutes(clients)
    return [
        ("POST", _WORKFLOWS, workflows.create),
        ("GET", _WORKFLOWS, workflows.list_all),
        ("GET", _WORKFLOW, workflows.get),
        ("PATCH", _WORKFLOW, workflows.change),
        ("DELETE", _WORKFLOW, workflows.delete),
        ("GET", _WORKFLOW + "/versions", workflows.versions),
        ("GET", _WORKFLOW + "/versions/{version}", workflows.version),
        ("POST", _CHECK, workflows.check),
        ("POST", _DRY_RUN, workflows.dry_run),
        ("GET", _RUNS, runs.list_all),
        ("GET", _RUN, runs.get),
        ("POST", _RUN + "/cancel", runs.cancel),
    ]
