"""The whole API tried by its own description. `python -m tests.conformance.openapi` tries longer."""
