"""Data sets, their copies and their folds."""
