"""Runs the functions of a TypeScript folder, in a process of Node or Deno."""
