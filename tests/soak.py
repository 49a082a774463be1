"""How long the tests go on that a seed or a search drives: briefly in CI, longer by `make soak`.

Whatever fails names what runs it again: a seed in the test's name, or the blob that hypothesis
prints with the steps.
"""

from __future__ import annotations

import os

SOAK = int(os.environ.get("CONVEX_ASYNC_SOAK", "1"))
