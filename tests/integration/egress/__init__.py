"""The egress guard against real listeners and a name server of its own."""
