"""Meta's Graph API as a real HTTP server: development, demo and test double. Imports nothing of Waypost."""
