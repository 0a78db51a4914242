"""`leaderboard keys`, `boards` and `audit`: who may do what, and who changed it."""
