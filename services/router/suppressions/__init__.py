"""Suppressions: kept here, published to whoever routes or sends (services/suppressed.py)."""
