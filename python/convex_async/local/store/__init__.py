"""Documents, indexes and files, versioned by commit."""
