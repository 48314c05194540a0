"""Owners, sign-in, sessions and API keys."""
