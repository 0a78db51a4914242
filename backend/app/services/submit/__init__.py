"""The write path: scores that wait together become one transaction, then one call of the index."""
