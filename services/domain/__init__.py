"""What all services agree on: streams and keys, addresses, suppressions, erasures, retention. See README.md."""
