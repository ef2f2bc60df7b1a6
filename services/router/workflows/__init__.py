"""Stored workflows: what events of a type start, step by step, for each person."""
