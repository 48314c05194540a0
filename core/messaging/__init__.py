"""Sends, retries and settles messages."""
