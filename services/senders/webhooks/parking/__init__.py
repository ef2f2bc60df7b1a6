"""The deliveries of endpoints that wait in rows, and the circuit breaker of each endpoint."""
