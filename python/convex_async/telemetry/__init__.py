"""What happened, told to logs and tracers."""
