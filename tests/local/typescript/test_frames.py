"""Frames, however the pipe cuts them."""

import pytest

from convex_async.local.typescript.frames import FrameReader, make_frame


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_frames_come_whole(size: int) -> None:
    data = make_frame("call 1 2 get", b'{"a":', b"1}\n") + make_frame("done 3 0 -")
    reader = FrameReader()
    frames = [
        frame for at in range(0, len(data), size) for frame in reader.feed(data[at : at + size])
    ]
    assert frames == [("call", 1, 2, "get", b'{"a":1}\n'), ("done", 3, 0, "-", b"")]
