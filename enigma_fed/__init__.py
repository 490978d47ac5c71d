"""enigma-fed: federate home servers over Tor, without a company server."""

__version__ = "0.1.0.dev0"
