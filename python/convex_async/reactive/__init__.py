"""Several live queries as one thing: consistent views, live pages, workers."""
