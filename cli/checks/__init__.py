"""The checks of `clarion doctor`, one module per dependency."""
