"""Sending: to one endpoint, or to all that subscribe to a type; one call or a batch."""
