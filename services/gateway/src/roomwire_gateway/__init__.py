"""Roomwire's gateway service: the chat gateway, its page and its ports."""
