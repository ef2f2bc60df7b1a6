"""Stored workflows in this API's form."""
