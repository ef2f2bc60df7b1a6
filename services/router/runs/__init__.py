"""Runs: events that the router keeps in mind, because they wait for their time or have many recipients."""
