"""A real-time leaderboard service: the ledger is the truth, boards are folds over it."""

__version__ = "0.1.0"
