"""Connecting an account and replacing its token."""
