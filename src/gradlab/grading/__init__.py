"""Grading: hidden graders judge a submission in its sandbox, and a verdict comes out."""
