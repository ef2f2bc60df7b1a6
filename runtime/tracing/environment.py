"""Whether OpenTelemetry's standard variables ask for spans. An empty variable counts as unset, as in the standard."""

from collections.abc import Mapping

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def wants_spans(environment: Mapping[str, str]) -> bool:
    """Return whether spans are to be made.

    Unlike the SDK itself, which would export to localhost: only where an exporter or an endpoint is named.
    """
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "").strip()
    if exporter:
        return exporter != "none"
    return any(environment.get(name, "").strip() for name in _ENDPOINTS)
