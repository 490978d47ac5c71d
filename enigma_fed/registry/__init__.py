"""The identity registry: encrypted envelopes in, encrypted envelopes out (docs/REGISTRY.md)."""
