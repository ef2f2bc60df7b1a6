"""Suppressions: kept here, published to whoever routes or sends (services/domain/suppressed.py)."""
