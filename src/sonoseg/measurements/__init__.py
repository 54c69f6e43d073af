"""The protocol's three measurements: what leaks, how noisy the masks are, what the old measure tells."""
