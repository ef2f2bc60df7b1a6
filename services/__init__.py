"""The five services, and what they share: topology.py (streams and subjects) and delivery/ (one attempt's way)."""
