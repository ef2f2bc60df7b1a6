"""Proofs on a stack: `checks.smoke` (it works), `checks.chaos` (nothing is lost), `checks.fsync` (it is stored)."""
