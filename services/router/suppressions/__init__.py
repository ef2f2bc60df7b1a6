"""Suppressions: kept here, published to whoever routes or sends (services/domain/suppression_list.py)."""
