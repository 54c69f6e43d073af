"""The networks: one composition of encoder, block and gate."""
