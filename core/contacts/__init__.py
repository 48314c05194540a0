"""Whom a workspace writes with."""
