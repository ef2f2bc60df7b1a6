"""What the router finds by its id, in several of its tables."""
