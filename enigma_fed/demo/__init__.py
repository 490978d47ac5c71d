"""A private Tor network on loopback, and the guided demo."""
