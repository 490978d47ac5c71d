"""The agent: composition, life cycle, control socket."""
