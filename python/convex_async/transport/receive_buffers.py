"""Memory for what sockets receive, kept by the process rather than asked for each time."""

from __future__ import annotations

# Bytes. asyncio receives into a new buffer of 256 KiB each time. The GNU C library asks the kernel
# for blocks from 128 KiB on, one by one, and gives them back, which takes a tenth of the time of a
# small call; until a larger one was freed: from then on it keeps blocks up to that size, and up to
# twice as much of what is free (mallopt(3), M_MMAP_THRESHOLD). Other C libraries do not mind.
KEPT = 2 * 2**20


def keep_receive_buffers() -> None:
    """Let the process keep such memory, as any large frame would by itself."""
    bytes(KEPT)
