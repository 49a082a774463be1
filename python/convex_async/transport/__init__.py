"""Moving bytes: what a transport is, the WebSocket one, and the HTTP session."""
