"""The generated file: as ruff leaves it, the same everywhere, importable whatever is in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings

from convex_async.calls import Call
from convex_async.codec.typed import converter
from convex_async.codegen import Options, Style, generate, parse
from tests.codegen.backend import functions
from tests.codegen.generated import STYLES, as_module, specification_of, written
from tests.codegen.specifications import SPECIFICATIONS
from tests.codegen.test_layout import formatted

# Without shrinking, which takes minutes here: what is drawn is small already.
DRAW = [Phase.explicit, Phase.reuse, Phase.generate]


@pytest.mark.parametrize("is_snake", [False, True])
@pytest.mark.parametrize("style", STYLES)
def test_ruff_leaves_it_as_it_is(style: Style, is_snake: bool) -> None:
    text = written(functions, style, is_snake=is_snake, include_internal=True).text
    assert formatted(text) == text


def test_it_is_the_same_in_every_process() -> None:
    script = (
        "from tests.codegen.backend import functions\n"
        "from tests.codegen.generated import written\n"
        "print(written(functions, 'msgspec').text, end='')\n"
    )
    for seed in ("1", "2"):
        ran = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert ran.stdout == written(functions, "msgspec").text


def test_the_first_lines_name_the_source_and_the_hash() -> None:
    text = written(functions, source="https://x.convex.cloud").text
    first, second = text.splitlines()[:2]
    assert first == "# Written by convex-async codegen from https://x.convex.cloud: do not edit."
    assert second.startswith("# Style typeddict, sha256 ")
    fewer = generate(specification_of(functions)[:-1]).text
    assert fewer.splitlines()[1] != second


def test_a_docstring_gives_path_kind_and_arguments() -> None:
    api: Any = as_module(written(functions).text, "documented").api
    assert api.tasks.create.__doc__.splitlines()[0] == "Mutation `tasks:create`."
    assert "authorId: id of `users`, optional" in api.tasks.create.__doc__
    assert "rank: int64" in api.tasks.create.__doc__


def test_internal_functions_are_there_when_they_are_wanted() -> None:
    module = as_module(written(functions).text, "public")
    assert not hasattr(module, "internal")
    assert not hasattr(module.api.tasks, "secret")
    module = as_module(written(functions, include_internal=True).text, "internals")
    assert module.internal.tasks.secret(n=1).path == "tasks:secret"
    assert not hasattr(module.api.tasks, "secret")


def test_snake_case_travels_as_convex_has_it() -> None:
    api: Any = as_module(written(functions, "msgspec", is_snake=True).text, "snake").api
    call = api.tasks.create(text="x", rank=1, author_id="u")
    assert call.args["authorId"] == "u"
    document = sys.modules["snake"].TasksDoc
    assert {"creation_time", "author_id"} <= set(document.__struct_fields__)
    assert {"_creationTime", "authorId"} <= set(document.__struct_encode_fields__)


def test_a_typo_is_an_error_at_run_time_too() -> None:
    api: Any = as_module(written(functions).text, "typo").api
    with pytest.raises(TypeError, match="nam"):
        api.users.create(nam="Ada")
    with pytest.raises(AttributeError):
        api.users.creat(name="Ada")


def test_a_union_that_a_style_can_t_decode_is_told() -> None:
    assert written(functions, "typeddict").warnings == []
    for style in ("msgspec", "pydantic"):
        (warning,) = written(functions, style).warnings
        assert "AmbiguousGetResult" in warning
        assert f"style {style}" in warning


def everything(module: Any) -> list[Any]:
    """All functions of a generated module."""
    found: list[Any] = []
    rooms = [module.api, module.internal]
    while rooms:
        for name, value in vars(rooms.pop()).items():
            if isinstance(value, staticmethod):
                found.append(value.__func__)
            elif isinstance(value, type) and name not in ("__class__",):
                rooms.append(value)
    return found


@given(SPECIFICATIONS)
@settings(deadline=None, max_examples=60, phases=DRAW)
def test_any_specification_makes_a_file_that_works(specification: Any) -> None:
    parsed = parse(specification)
    for style in STYLES:
        for is_snake in (False, True):
            options = Options(style=style, is_snake=is_snake, include_internal=True)
            text = generate(parsed, options).text
            assert generate(parsed, options).text == text
            module = as_module(text, f"drawn_{style}_{is_snake}")
            made = everything(module)
            assert len(made) == len(parsed)
            for function in made:
                call = function(**dict.fromkeys(_required(function), "x"))
                assert isinstance(call, Call)
                # What a client will ask for is a type, whose unions can be told apart.
                converter(call.type)


def _required(function: Any) -> list[str]:
    code, defaults = function.__code__, function.__kwdefaults__ or {}
    names = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    return [name for name in names if name not in defaults]


@given(SPECIFICATIONS)
@settings(deadline=None, max_examples=25, phases=DRAW)
def test_ruff_leaves_any_file_as_it_is(specification: Any) -> None:
    for style in STYLES:
        text = generate(parse(specification), Options(style=style, include_internal=True)).text
        assert formatted(text) == text
