"""Prediction and truth -> cases -> summary."""
