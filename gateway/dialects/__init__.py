"""The public APIs. Each answers in its own words; nothing of one leaks into another."""
