"""Many documents out of a deployment and into one."""

from convex_async.transfer.exporting import export_lines
from convex_async.transfer.importing import ImportFailed, Progress, import_lines, state_path

__all__ = ["ImportFailed", "Progress", "export_lines", "import_lines", "state_path"]
