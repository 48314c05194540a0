"""Figures of the whole installation, for monitoring systems."""
