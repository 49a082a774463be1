"""Moving frames: what a transport is, and the two there are."""
