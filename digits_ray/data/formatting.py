"""Foreign text made fit for a message of one line."""

_SHOWN_CHARACTERS = 40  # of a value from a file
_REASON_CHARACTERS = 120  # of another library's message


def shown(value: object) -> str:
    """A value from a file, quoted, escaped and shortened."""
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 2] + "…" + text[-1]


def reason(error: Exception | str) -> str:
    """Another library's message on one line, without control characters, shortened."""
    text = " ".join(str(error).split())
    return "".join(character for character in text if character.isprintable())[:_REASON_CHARACTERS]
