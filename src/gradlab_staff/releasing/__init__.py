"""What becomes of an instructor notebook: its release, its recordings, a class to demonstrate it."""
