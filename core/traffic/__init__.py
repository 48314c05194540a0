"""What was sent and heard, minute by minute, for a year back."""
