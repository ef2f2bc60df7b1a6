"""One module per area; each has OPERATIONS."""
