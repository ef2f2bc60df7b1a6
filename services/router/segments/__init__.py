"""Segments: saved filters over the stored recipients of a tenant."""
