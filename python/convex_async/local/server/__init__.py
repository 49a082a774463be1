"""The deployment's two HTTP servers: sync protocol, HTTP API and site."""
