"""Text from files and from other libraries, made fit for an error message of one line."""

_QUOTED_CHARACTERS = 40  # of a value from a file
_MESSAGE_CHARACTERS = 120  # of another library's message


def quoted(value: object) -> str:
    """Returns a value from a file, quoted, escaped and shortened."""
    text = repr(value)
    return text if len(text) <= _QUOTED_CHARACTERS else text[: _QUOTED_CHARACTERS - 2] + "…" + text[-1]


def one_line(error: Exception | str) -> str:
    """Returns another library's message on one line, without control characters, shortened."""
    text = " ".join(str(error).split())
    return "".join(character for character in text if character.isprintable())[:_MESSAGE_CHARACTERS]
