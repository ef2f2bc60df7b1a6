"""Templates as files: a tenant's templates in a folder that can be kept under version control."""
