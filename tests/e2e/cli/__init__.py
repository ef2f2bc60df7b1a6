"""The `clarion` command on a running stack."""
