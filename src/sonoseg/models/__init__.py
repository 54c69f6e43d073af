"""The networks: encoders, blocks and gates, composed into U-Nets, and their catalogue."""
