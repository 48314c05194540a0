"""The audit log as people read it: filters, what changed, export."""
