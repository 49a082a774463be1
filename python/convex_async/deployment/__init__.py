"""Where a deployment is, and where a program finds that out."""
