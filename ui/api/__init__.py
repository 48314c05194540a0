"""The REST API: parsing and shapes. What is done is core's."""
