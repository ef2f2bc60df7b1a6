"""Contacts: the stored recipients of a tenant."""
