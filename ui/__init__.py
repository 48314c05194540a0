"""Everything that speaks HTTP or pixels. No rules, no SQL."""
