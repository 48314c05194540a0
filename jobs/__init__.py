"""The engine room: how work gets a thread and a time. No rules."""
