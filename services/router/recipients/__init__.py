"""The recipients that tenants store: written and listed (store.py), and read for planning (people.py)."""
