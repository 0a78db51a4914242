"""`leaderboard demo`: players and traffic, made through the public API alone."""
