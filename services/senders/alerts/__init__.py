"""Outages, and the alerts that tell the operator of them. See README.md here."""
