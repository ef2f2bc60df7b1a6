"""Deliveries of endpoints that wait in rows, on real PostgreSQL and NATS."""
