"""Endpoints of tenants, their secrets and their subscriptions: stored, and published to all processes."""
