"""A path with arguments and a typed call are asked for alike."""

import pytest

from convex_async import QueryCall
from convex_async.client_base.asked import unpack


def test_a_path_comes_as_it_was_given() -> None:
    assert unpack("query", "a:b", {"n": 1}, int) == ("a:b", {"n": 1}, int)


def test_a_call_has_its_own_arguments_and_type() -> None:
    call: QueryCall[int] = QueryCall("a:b", {"n": 1}, type=int)
    path, args, type_ = unpack("query", call, None, None)
    assert (str(path), args, type_) == ("a:b", {"n": 1}, int)
    assert unpack("query", call, None, str)[2] is str
    with pytest.raises(TypeError):
        unpack("mutation", call, None, None)
    with pytest.raises(TypeError):
        unpack("query", call, {"n": 2}, None)
