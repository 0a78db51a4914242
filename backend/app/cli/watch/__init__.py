"""`leaderboard watch`: the live board in a terminal, and a reference for other clients."""
