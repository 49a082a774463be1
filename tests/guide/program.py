# mypy: ignore-errors
# As users have written it.
"""A blocking program made of the guide's snippets, as users have written it for PyPI `convex`.

The first argument is the module to import from, which is all that changes. It prints what it finds.
"""

import importlib
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Optional

convex = importlib.import_module(sys.argv[1])
ConvexClient, ConvexError, ConvexInt64 = (
    convex.ConvexClient,
    convex.ConvexError,
    convex.ConvexInt64,
)

client = ConvexClient(os.environ["CONVEX_URL"])

# Calling Convex functions

task_id = client.mutation("tasks:create", {"text": "Learn Convex", "isCompleted": False})
client.mutation("tasks:update", {"id": task_id, "isCompleted": True})
print(client.query("tasks:get", {"id": task_id})["isCompleted"])
print(client.query("users:getById", {"userId": "abc123"}))
results = client.query(
    "search:find",
    {
        "filters": {"category": "books", "minPrice": 10},
        "pagination": {"limit": 20, "cursor": None},
    },
)
print(results["filters"]["category"], results["pagination"]["cursor"])
print(client.action("ai:generateResponse", {"prompt": "Explain quantum computing"}))
client.mutation("tasks:delete", {"id": task_id})
print(client.query("tasks:list"))

# Real-time subscriptions

for tasks in client.subscribe("tasks:list"):
    print(f"Tasks updated: {len(tasks)} items")
    if len(tasks) == 2:
        break
    client.mutation("tasks:create", {"text": f"task {len(tasks)}"})

for messages in client.subscribe("messages:byChannel", {"channel": "general"}):
    print(f"Channel has {len(messages)} messages")
    break

# Authentication

client.set_auth(os.environ["TOKEN"])
print(client.query("users:getCurrentUser"))
client.set_auth(None)
print(client.query("users:getCurrentUser"))
client.set_admin_auth(os.environ["ADMIN_KEY"])
print(client.mutation("internal:adminOperation", {"note": "x"}))
client.clear_auth()

# Types

client.mutation("analytics:recordCount", {"count": ConvexInt64(2**60)})
count = client.query("analytics:getCount")["count"]
print(type(count).__name__, int(getattr(count, "value", count)))

# Errors

for product, quantity in [("prod_123", 100), ("nonexistent", 1), ("text", 1), ("bug", 1)]:
    try:
        client.mutation("orders:create", {"productId": product, "quantity": quantity})
    except ConvexError as err:
        if isinstance(err.data, dict):
            code = err.data.get("code")
            if code == "INSUFFICIENT_STOCK":
                print(f"Only {err.data.get('available', 0):.0f} items available")
            elif code == "NOT_FOUND":
                print("Product not found")
        elif isinstance(err.data, str):
            print(f"Error: {err.data}")
    except Exception:
        print("Unexpected error")

# Pagination


def fetch_all_messages():
    all_messages = []
    cursor = None
    while True:
        result = client.query(
            "messages:list", {"paginationOpts": {"numItems": 50, "cursor": cursor}}
        )
        all_messages.extend(result["page"])
        cursor = result["continueCursor"]
        print(f"Fetched {len(result['page'])} messages")
        if result["isDone"]:
            break
    return all_messages


for number in range(60):
    client.mutation("messages:send", {"body": str(number)})
print(len(fetch_all_messages()))

# CRUD wrapper class


class ConvexRepository:
    def __init__(self, client, table: str):
        self.client = client
        self.table = table

    def list(self, **filters):
        return self.client.query(f"{self.table}:list", filters or {})

    def get(self, id: str):
        return self.client.query(f"{self.table}:get", {"id": id})

    def create(self, **data):
        return self.client.mutation(f"{self.table}:create", data)

    def update(self, id: str, **data):
        return self.client.mutation(f"{self.table}:update", {"id": id, **data})

    def delete(self, id: str):
        return self.client.mutation(f"{self.table}:delete", {"id": id})


tasks = ConvexRepository(client, "tasks")
new_id = tasks.create(text="New task", isCompleted=False)
tasks.update(new_id, isCompleted=True)
print(tasks.get(new_id)["isCompleted"], len(tasks.list()))
tasks.delete(new_id)

# Real-time sync with callbacks


class RealtimeSync:
    def __init__(self, client):
        self.client = client
        self._threads = {}

    def subscribe(self, query: str, callback: Callable[[Any], None], args: dict | None = None):
        def run():
            for data in self.client.subscribe(query, args or {}):
                callback(data)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self._threads[query] = thread


# PyPI `convex` holds the GIL while it waits, so that a thread with a subscription stops the whole
# program until the next update: there, this part would not end.
if sys.argv[1] != "convex":
    arrived = threading.Event()
    sync = RealtimeSync(client)
    sync.subscribe("presence:online", lambda users: users and arrived.set())
    client.mutation("presence:enter", {"name": "Ada"})
    assert arrived.wait(10)

# Complete application example


@dataclass
class Task:
    id: str
    text: str
    is_completed: bool
    created_at: float


class TaskManager:
    def __init__(self):
        self.client = ConvexClient(os.environ["CONVEX_URL"])

    def list_tasks(self) -> list[Task]:
        return [self._to_task(t) for t in self.client.query("tasks:list")]

    def get_task(self, task_id: str) -> Optional[Task]:  # noqa: UP045  # as users have it
        raw = self.client.query("tasks:get", {"id": task_id})
        return self._to_task(raw) if raw else None

    def create_task(self, text: str) -> str:
        try:
            return self.client.mutation("tasks:create", {"text": text})
        except ConvexError as e:
            if isinstance(e.data, dict) and e.data.get("code") == "VALIDATION_ERROR":
                raise ValueError(e.data.get("message", "Invalid input")) from e
            raise

    def complete_task(self, task_id: str):
        self.client.mutation("tasks:update", {"id": task_id, "isCompleted": True})

    def _to_task(self, raw: dict) -> Task:
        return Task(
            id=raw["_id"],
            text=raw["text"],
            is_completed=raw["isCompleted"],
            created_at=raw["_creationTime"],
        )


manager = TaskManager()
task1_id = manager.create_task("Learn Convex")
manager.complete_task(task1_id)
print(manager.get_task(task1_id).is_completed, len(manager.list_tasks()))
try:
    manager.create_task(" ")
except ValueError as error:
    print(error)

# A consistent view of all queries

subscription = client.subscribe("tasks:list")
for view in client.watch_all():
    if view.get(subscription.id) is not None:
        print("watched")
        break
subscription.unsubscribe()
