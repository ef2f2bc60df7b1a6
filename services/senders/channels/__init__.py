"""One folder per channel, and in it one per kind of provider. See services.senders.registry."""
