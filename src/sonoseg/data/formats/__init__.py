"""The layouts of other programs."""
