"""Sendmator's API, module by module."""
