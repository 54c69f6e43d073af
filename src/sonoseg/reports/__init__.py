"""Figures -> pages; computes nothing that the summary does not hold."""
