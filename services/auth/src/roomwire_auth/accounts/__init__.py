"""Accounts, their passwords, and how often an address may try one."""
