"""Values and rules on which all services agree. See README.md."""
