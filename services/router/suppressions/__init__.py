"""Stores suppressions and publishes them to the processes that route or send (services/domain/suppression_list.py)."""
