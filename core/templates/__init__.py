"""Pre-approved message forms and the check of a send against them."""
