"""Endpoints that trickle, hang, reset, or never stop sending, beside endpoints that are well."""
