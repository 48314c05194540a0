"""Mail to people: kept with what it tells of, sent after the commit."""
