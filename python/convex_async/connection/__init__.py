"""The shell around the protocol: one socket, kept open, and who waits for what."""
