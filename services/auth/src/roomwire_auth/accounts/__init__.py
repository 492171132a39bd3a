"""Accounts, their passwords, and the limit on how often an address may try a password."""
