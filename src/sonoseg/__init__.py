"""Sonoseg finds and outlines breast lesions in ultrasound images."""

__version__ = "0.1.0"
