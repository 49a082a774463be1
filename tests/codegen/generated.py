"""The generated file of a backend, as text and as a module."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from convex_async.codegen import Generated, Options, Style, generate, parse
from convex_async.codegen.specification import FunctionSpec
from convex_async.local import Functions
from convex_async.local.engine.python_functions import PythonFunctions
from convex_async.local.engine.runtimes import Runtimes

STYLES: list[Style] = ["typeddict", "msgspec", "pydantic"]


def specification_of(functions: Functions) -> list[FunctionSpec]:
    """As it is over the wire: JSON, and back."""
    listed = Runtimes(PythonFunctions(functions)).specification()
    return parse(json.loads(json.dumps(listed)))


def written(functions: Functions, style: Style = "typeddict", **options: Any) -> Generated:
    return generate(specification_of(functions), Options(style=style, **options))


def as_module(text: str, name: str) -> ModuleType:
    """The file as it is imported; types are looked up in `sys.modules`."""
    module = ModuleType(name)
    sys.modules[name] = module
    exec(compile(text, f"{name}.py", "exec"), module.__dict__)
    return module


def write(directory: Path, functions: Functions) -> None:
    """A file for each style, named after it."""
    for style in STYLES:
        (directory / f"api_{style}.py").write_text(written(functions, style).text)
