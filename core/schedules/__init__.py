"""What the clock does by itself (C2): when, whether it may, and what came of it."""
