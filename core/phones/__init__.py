"""Sending numbers and the credentials they send with."""
