"""What a function gets as `ctx`."""
