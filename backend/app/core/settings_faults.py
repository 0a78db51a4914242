"""What is wrong with the settings, in one line each: the name, what it must be, what it is."""

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic_core import ErrorDetails

MAX_SHOWN = 60
"""Characters of a bad value that a message repeats."""

_KINDS = {
    "int": "must be a whole number",
    "float": "must be a number",
    "finite": "must be a finite number",
    "bool": "must be true or false",
    "path": "must be a path",
    "string": "must be text",
    "list": "must be a list with commas between",
    "tuple": "must be a list with commas between",
}
_BOUNDS = {
    "greater_than_equal": ("must be at least", "ge"),
    "greater_than": ("must be more than", "gt"),
    "less_than_equal": ("must be at most", "le"),
    "less_than": ("must be less than", "lt"),
}


def faults_of(error: ValidationError, model: type[BaseModel], secrets: set[str]) -> list[str]:
    """A line for each fault. Values of the settings named in `secrets` are not shown."""
    return [_say(each, model, secrets) for each in error.errors()]


def _say(fault: ErrorDetails, model: type[BaseModel], secrets: set[str]) -> str:
    name = str(fault["loc"][0]) if fault["loc"] else ""
    words = _words(fault)
    if not name:
        return words
    field = model.model_fields.get(name)
    is_secret = name in secrets or (field is not None and SecretStr in _types(field.annotation))
    given = str(fault["input"])
    if is_secret or fault["type"] == "setting" or not given.isprintable():
        return f"{name.upper()} {words}"
    shown = given if len(given) <= MAX_SHOWN else f"{given[:MAX_SHOWN]}..."
    return f"{name.upper()} {words} (it is {shown})"


def _types(annotation: object) -> tuple[object, ...]:
    return (annotation, *getattr(annotation, "__args__", ()))


def _words(fault: ErrorDetails) -> str:
    kind, context = fault["type"], fault.get("ctx", {})
    if kind == "setting":
        return str(context["fault"])
    if kind in _BOUNDS:
        words, name = _BOUNDS[kind]
        bound = context[name]
        return f"{words} {bound:,}" if isinstance(bound, int) else f"{words} {bound:g}"
    if kind == "literal_error":
        return f"must be {str(context['expected']).replace(chr(39), '')}"
    return _KINDS.get(kind.partition("_")[0], fault["msg"])
