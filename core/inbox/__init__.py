"""What Meta tells us by webhook."""
