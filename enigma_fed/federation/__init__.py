"""Invites, members, joining, polling, liveness."""
