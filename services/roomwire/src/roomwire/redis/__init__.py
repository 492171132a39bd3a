"""Access to a Redis or Valkey primary: URLs, topologies, one connection, scripts."""
