"""Samples -> weights -> model file; the only room with torch."""
