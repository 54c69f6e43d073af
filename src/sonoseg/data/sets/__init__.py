"""A source per set."""
