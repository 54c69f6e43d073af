"""Any file that a user has -> Image."""
