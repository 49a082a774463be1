"""The server's end of the sync protocol."""
