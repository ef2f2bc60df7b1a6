"""One endpoint is down for three days, in minutes."""
