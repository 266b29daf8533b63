"""A submission as it came: its notebook found, read, and planned."""
