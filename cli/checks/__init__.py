"""What `clarion doctor` looks at, a module per dependency."""
