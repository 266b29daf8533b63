"""gradlab: an auto-graded assignment kit for a deep-learning course."""
