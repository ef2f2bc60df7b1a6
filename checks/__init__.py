"""Checks of a stack: `checks.smoke` (it works), `checks.chaos` (it loses nothing), `checks.fsync` (it syncs)."""
