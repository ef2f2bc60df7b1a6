"""Plumbing that every process runs on. No word of the domain lives here."""
