"""Ways to a peer."""
