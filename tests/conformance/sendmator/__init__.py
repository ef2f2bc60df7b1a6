"""Sendmator's API, row by row on a running stack."""
