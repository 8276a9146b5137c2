"""What answers each route: ten lines that ask `reading`, the archive or the broker, and fill a struct of `shapes`."""
