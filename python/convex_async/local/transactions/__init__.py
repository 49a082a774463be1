"""Reading one snapshot, committing without conflict, and who is told."""
