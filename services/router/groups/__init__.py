"""Groups of stored recipients."""
