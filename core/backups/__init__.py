"""Copies of the whole, and going back to one."""
