"""The rank index: an order of all players in Redis that can be rebuilt from the folds."""
