"""Files to and from a deployment's storage."""
