"""Heartbeats, leases and the state of the whole."""
