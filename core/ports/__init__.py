"""The outside world: one module per thing that can refuse, time out or lie."""
