"""What sockets receive goes into memory that the process has, where the C library is GNU's."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys

import pytest

from convex_async.transport import receive_buffers as receiving

# By itself: importing the rest of the package may take and free large blocks too.
SCRIPT = """
import ctypes, runpy, sys

class Statistics(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in ("arena", "free", "fast", "hblks", *"efghij")]

mallinfo2 = ctypes.CDLL(None).mallinfo2
mallinfo2.restype = Statistics

def blocks_of_the_kernel():
    before = mallinfo2().hblks
    buffer = bytearray(256 * 1024)
    taken = mallinfo2().hblks - before
    del buffer[100:]  # as what was received is mostly short
    return taken

keep_receive_buffers = runpy.run_path(sys.argv[1])["keep_receive_buffers"]
assert blocks_of_the_kernel() == 1
assert blocks_of_the_kernel() == 1
keep_receive_buffers()
assert blocks_of_the_kernel() == 0
"""


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or not hasattr(ctypes.CDLL(None), "mallinfo2"),
    reason="not the GNU C library, or an old one",
)
def test_a_receive_buffer_is_not_asked_of_the_kernel() -> None:
    command = [sys.executable, "-I", "-S", "-c", SCRIPT, receiving.__file__]
    subprocess.run(command, check=True, timeout=30)
