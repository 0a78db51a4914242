"""The `leaderboard` command. Nothing heavy is imported here: every worker passes through."""


def main() -> None:
    """Runs the command that was asked for."""
    from app.cli.commands import app

    app()
