"""Sign-in sessions from sign-in to sign-out: refresh tokens, and the users' management of their sessions and accounts."""
