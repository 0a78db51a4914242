"""The secret that signs players' tokens: given by whoever runs the service, never a default."""

from app.core.config import Settings

MIN_LENGTH = 32
MIN_DIFFERENT = 8
"""Of 32 random hexadecimal digits fewer than 8 are different once in 25 million times."""

_PLACEHOLDERS = (
    "change", "secret", "password", "default", "example", "insert", "replace", "leaderboard",
    "0123456789", "123456789", "abcdef012", "abcdefgh", "qwertz", "qwerty",
)  # fmt: skip
"""Six letters and more: in a random secret they are as good as never found."""


_HINT = "set AUTH_SECRET or AUTH_SECRET_FILE to one of `openssl rand -base64 48`"


class BadSecretError(Exception):
    """The service can't run closed with this secret. The message is one line to act on."""


def checked_secret(settings: Settings) -> str:
    """The secret that tokens are signed with. Raises BadSecretError if it is missing, short or
    one that somebody may guess."""
    given = "" if settings.auth_secret is None else settings.auth_secret.get_secret_value()
    if not given:
        raise BadSecretError(f"the closed mode needs a secret: {_HINT}")
    return _checked("AUTH_SECRET", given)


def checked_previous_secret(settings: Settings) -> str | None:
    """The secret before a rotation, if there is one: tokens that were signed with it stay good.
    Raises BadSecretError as `checked_secret` does."""
    given = settings.auth_secret_previous
    if given is None or not given.get_secret_value():
        return None
    return _checked("AUTH_SECRET_PREVIOUS", given.get_secret_value())


def _checked(name: str, given: str) -> str:
    if len(given) < MIN_LENGTH:
        raise BadSecretError(
            f"{name} has {len(given)} characters and needs at least {MIN_LENGTH}: {_HINT}"
        )
    lowered = given.lower()
    if len(set(given)) < MIN_DIFFERENT or any(each in lowered for each in _PLACEHOLDERS):
        raise BadSecretError(f"{name} looks like a placeholder: {_HINT}")
    return given
