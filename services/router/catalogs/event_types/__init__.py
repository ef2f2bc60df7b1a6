"""The types of the events that endpoints subscribe to."""
