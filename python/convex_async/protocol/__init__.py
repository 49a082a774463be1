"""The sync protocol as pure state: no asyncio, clock, randomness, I/O or logging."""
