"""The order, the pace and the holds of each phone's queue."""
