"""The node's key: making, keeping, signing and checking."""
