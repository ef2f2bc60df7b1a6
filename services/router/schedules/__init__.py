"""Recurring events: by a cron expression in a time zone."""
