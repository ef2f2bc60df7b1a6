"""Attacks stacks while an uninvolved tenant is measured: `make siege`. See README.md."""
