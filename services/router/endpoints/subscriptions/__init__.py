"""Which event types an endpoint gets."""
