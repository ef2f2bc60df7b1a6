"""`make bench`: measures Clarion and baselines in the same run. See docs/benchmarks.md."""
