"""The client's end of the sync protocol."""
