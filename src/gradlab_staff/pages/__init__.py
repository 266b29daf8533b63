"""Pages, tables and JSON: what people and machines read of verdicts."""
