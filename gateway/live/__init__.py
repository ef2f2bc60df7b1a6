"""Events as they change, for open pages of the console: one stream of ingest for all of them."""
