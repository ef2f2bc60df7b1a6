"""The router's part of the configuration bucket. See runtime.reconcile."""

from services.domain import pseudonym_keys
from services.router.endpoints import configuration_sources as endpoints
from services.router.runs import configuration_sources as runs
from services.router.suppressions import configuration_sources as suppressions
from services.router.workflows import configuration_sources as workflows

OWNER = "router"
SOURCES = (suppressions.SOURCE, runs.SOURCE, *endpoints.SOURCES, workflows.SOURCE, pseudonym_keys.source(OWNER))
