"""Sessions, from signing in to signing out: refresh tokens, and what users do about their sessions and accounts."""
