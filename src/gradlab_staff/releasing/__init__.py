"""Tools that start from an instructor notebook: its release, its recorded outputs, a demo class, a new assignment."""
