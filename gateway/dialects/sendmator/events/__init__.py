"""Events: sent asynchronously, or waited for."""
