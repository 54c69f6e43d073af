"""What needs learning and judging together."""
