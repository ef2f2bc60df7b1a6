"""Measures webhooks: `python -m bench.webhooks`."""
