"""Statements that write deliveries, and the counters of their events and workflows with them."""

from pathlib import Path

from runtime import postgres

_QUERIES = postgres.Queries(Path(__file__).with_name("counting.sql"))

# How many deliveries of an event have each status, by workflow and step.
OF_WORKFLOWS = _QUERIES.of_workflows


def counting(query: str) -> str:
    """Return a statement with the parts that change the counters."""
    return query.replace("{count_events}", _QUERIES.count_events).replace("{count_workflows}", _QUERIES.count_workflows)
