"""Rate limits: who may ask how often, counted for all workers at once."""
