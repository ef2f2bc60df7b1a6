"""Workflow runs: one stored workflow for one person, step by step."""
