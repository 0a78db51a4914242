class EmbeddedError(Exception):
    """An embedded server cannot run. The message is one line that a user can act on."""
