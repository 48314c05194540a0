"""Conversations: what we bill."""
