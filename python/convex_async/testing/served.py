"""A fresh local deployment of functions however they are named, for tests of any kind."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from convex_async.local import Functions, LocalDeployment
from convex_async.local.served import ServedDeployment

__all__ = ["ServedDeployment", "deployment_maker", "serve"]


@contextmanager
def serve(
    functions: Functions | str | os.PathLike[str], **options: Any
) -> Iterator[ServedDeployment]:
    """A fresh deployment in a thread: `with serve("app.backend:functions") as deployment:`.

    For tests that have no fixtures, such as `unittest`'s and Django's.

    Args:
        functions: a `Functions`; `"module:functions"` of one; or a folder such as `"./convex"`.
        options: as `LocalDeployment` takes them.

    Raises:
        ImportError, AttributeError, TypeError: there is no such `Functions`.
    """
    served = ServedDeployment(deployment_maker(functions, options))
    served.start()
    try:
        yield served
    finally:
        served.close()


def deployment_maker(
    functions: Functions | str | os.PathLike[str], options: Mapping[str, Any]
) -> Callable[[], LocalDeployment]:
    """What makes a deployment of these functions.

    Raises:
        ImportError, AttributeError, TypeError: there is no such `Functions`.
    """
    if isinstance(functions, Functions):
        found = functions
    elif isinstance(functions, str) and ":" in functions and not Path(functions).exists():
        module, _, attribute = functions.rpartition(":")
        found = getattr(import_module(module), attribute)
        if not isinstance(found, Functions):
            raise TypeError(f"{functions} is no convex_async.local.Functions, but {found!r}")
    else:
        from_folder: Any = getattr(LocalDeployment, "from_folder", None)
        if from_folder is None or not Path(functions).is_dir():
            raise TypeError(
                f"{functions!r} is no Functions, no 'module:functions' and no folder of them"
            )
        return lambda: from_folder(functions, **options)
    return lambda: LocalDeployment(found, **options)
