"""What pages are made of, one noun a file. Text that comes from people goes through text elements only."""
