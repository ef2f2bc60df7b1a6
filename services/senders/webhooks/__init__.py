"""Webhooks: one signed POST to one endpoint of a tenant."""
