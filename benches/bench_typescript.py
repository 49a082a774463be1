"""TypeScript functions beside Python ones that do the same: times by the engine, without a socket.

Needs Node, and the packages of `tests/typescript/app` (its tests install them).
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from convex_async.codec import encode_arguments
from convex_async.local import Functions, LocalDeployment, define_schema, define_table, v
from convex_async.local.transactions.outcome import Failure
from convex_async.local.typescript.runtime import TypeScriptFunctions

PACKAGES = Path(__file__).parents[1] / "tests" / "typescript" / "app" / "node_modules"
FILES = 20
ROUNDS = 300

BENCH = """
import { mutation, query } from "./_generated/server";
import { v } from "convex/values";

export const insert = mutation({
  args: { n: v.number() },
  handler: async (ctx, { n }) => ctx.db.insert("numbers", { n }),
});
export const fill = mutation({
  args: {},
  handler: async (ctx) => {
    const ids = [];
    for (let n = 0; n < 100; n++) ids.push(await ctx.db.insert("numbers", { n }));
    return ids;
  },
});
export const get = query({
  args: { id: v.id("numbers") },
  handler: async (ctx, { id }) => ctx.db.get(id),
});
export const collect = query({
  args: {},
  handler: async (ctx) => ctx.db.query("numbers").take(100),
});
export const gets = query({
  args: { ids: v.array(v.id("numbers")) },
  handler: async (ctx, { ids }) => {
    for (const id of ids) await ctx.db.get(id);
  },
});
"""


def python_functions() -> Functions:
    """The same in Python."""
    functions = Functions(define_schema({"pyNumbers": define_table({"n": v.number()})}))

    @functions.mutation("python:insert")
    async def insert(ctx: Any, n: float) -> Any:
        return await ctx.db.insert("pyNumbers", {"n": n})

    @functions.mutation("python:fill")
    async def fill(ctx: Any) -> Any:
        return [await ctx.db.insert("pyNumbers", {"n": n}) for n in range(100)]

    @functions.query("python:get")
    async def get(ctx: Any, id: str) -> Any:
        return await ctx.db.get(id)

    @functions.query("python:collect")
    async def collect(ctx: Any) -> Any:
        return await ctx.db.query("pyNumbers").take(100)

    @functions.query("python:gets")
    async def gets(ctx: Any, ids: list[str]) -> None:
        for document_id in ids:
            await ctx.db.get(document_id)

    return functions


def make_folder(place: Path) -> Path:
    """A project whose folder has so many files."""
    (place / "package.json").write_text("{}")
    (place / "node_modules").symlink_to(PACKAGES)
    folder = place / "convex"
    folder.mkdir()
    (folder / "bench.ts").write_text(BENCH)
    for number in range(FILES - 1):
        (folder / f"more{number}.ts").write_text(BENCH)
    return folder


async def median_ms(rounds: int, work: Callable[[], Awaitable[object]]) -> float:
    """The median of so many runs, after some that are not counted."""
    times: list[float] = []
    for _ in range(rounds + 20):
        began = time.perf_counter()
        await work()
        times.append(time.perf_counter() - began)
    return statistics.median(times[20:]) * 1e3


async def main() -> None:
    place = Path(tempfile.mkdtemp())
    try:
        await measure(make_folder(place))
    finally:
        shutil.rmtree(place)


async def measure(folder: Path) -> None:
    began = time.perf_counter()
    async with LocalDeployment.from_folder(folder, functions=python_functions()) as deployment:
        print(f"ready, {FILES} files: {time.perf_counter() - began:.2f} s")
        engine = deployment._running()

        async def query(path: str, args: dict[str, Any]) -> Any:
            run = await engine.query(path, encode_arguments(args), identity=None)
            assert not isinstance(run.result, Failure), run.result
            return run

        async def mutation(path: str, args: dict[str, Any]) -> Any:
            run = await engine.mutation(path, encode_arguments(args), identity=None)
            assert not isinstance(run.result, Failure), run.result
            return run

        for module in ("bench", "python"):
            await mutation(f"{module}:fill", {})
            found = await deployment.run(f"{module}:collect")
            ids = [document["_id"] for document in found]
            one, all_of_them = {"id": ids[0]}, {"ids": ids}
            print(f"{'TypeScript' if module == 'bench' else 'Python'}, medians in ms:")
            for name, rounds, work in (
                ("one get", ROUNDS, lambda m=module, a=one: query(f"{m}:get", a)),
                ("collect of 100", ROUNDS, lambda m=module: query(f"{m}:collect", {})),
                ("100 gets", ROUNDS // 5, lambda m=module, a=all_of_them: query(f"{m}:gets", a)),
                ("one insert", ROUNDS, lambda m=module: mutation(f"{m}:insert", {"n": 1.0})),
            ):
                print(f"  {name}: {await median_ms(rounds, work):.2f}")
            began = time.perf_counter()
            await asyncio.gather(
                *(query(f"{module}:get", one) for _ in range(1000)),
            )
            print(f"  1000 queries at once: {1000 / (time.perf_counter() - began):.0f} a second")
        runtime = next(r for r in engine.runtimes.all if isinstance(r, TypeScriptFunctions))
        for count in (2000, 10_000):
            for _ in range(0, count, 500):
                await asyncio.gather(
                    *(query("bench:get", {"id": found_id(engine)}) for _n in range(500))
                )
            print(f"memory after {count} more runs: {runtime.host.memory() / 2**20:.0f} MiB")


def found_id(engine: Any) -> str:
    """The id of some document."""
    return str(next(d.document_id for d in engine.store.documents() if d.table == "numbers"))


if __name__ == "__main__":
    asyncio.run(main())
