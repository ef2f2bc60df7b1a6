"""Attacks on a stack of their own while an uninvolved tenant is measured: `make siege`. See README.md."""
