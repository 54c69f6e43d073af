"""Prediction -> files."""
