"""What Waypost does. Knows no web framework, no queue and no scheduler."""
