"""Counts the requests of the public APIs that are refused, by the key that sent them, for operators to find."""
