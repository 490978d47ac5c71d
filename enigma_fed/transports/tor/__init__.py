"""Tor: a process of our own, the onion service, SOCKS."""
