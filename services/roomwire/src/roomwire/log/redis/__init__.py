"""The ordered log on Redis or Valkey."""
