"""Who a client is: credentials, and tokens that are fetched and renewed in time."""
