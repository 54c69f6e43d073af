"""The protocol's measurements: what leaks, how noisy the masks are, what the old measure tells, a few images' share."""
