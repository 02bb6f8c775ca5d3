"""One reader per dialect of dialogue file, recognised by shape."""
