"""Parking, without I/O."""
