"""JSON-RPC 2.0 over signed HTTP: endpoint, client, method table."""
