"""The state of this node as its peers see it."""
