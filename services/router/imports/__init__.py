"""Imports of recipients from CSV files."""
