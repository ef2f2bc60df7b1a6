"""`make bench`: what Clarion does on this machine, beside baselines of the same run. See docs/benchmarks.md."""
