"""What `make test` runs: pytest over several processes, then each failed test once more, alone."""
