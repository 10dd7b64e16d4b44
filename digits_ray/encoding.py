"""Text in the encodings that editors and shells write: UTF-8, and UTF-16 and UTF-32 with or without byte order mark."""

import codecs

# In this order: the mark of UTF-32 in little endian begins with that of UTF-16.
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    codecs.BOM_UTF8: "utf-8-sig",
}
# Which of the first four bytes are zero where a text begins with two ASCII characters (RFC 4627, section 3).
_ZEROS: dict[tuple[bool, ...], str] = {
    (True, True, True, False): "utf-32-be",
    (False, True, True, True): "utf-32-le",
    (True, False, True, False): "utf-16-be",
    (False, True, False, True): "utf-16-le",
}


def utf_encoding(head: bytes) -> str:
    """Returns the name by which Python knows the encoding of a text; UTF-8 where its first bytes tell of no other.

    Args:
        head: Its first bytes, at least four.
    """
    marked = (encoding for mark, encoding in _BYTE_ORDER_MARKS.items() if head.startswith(mark))
    zeros = tuple(byte == 0 for byte in head[:4])
    return next(marked, None) or _ZEROS.get(zeros, "utf-8")


def in_utf8(content: bytes) -> bytes:
    """Returns a text's bytes in UTF-8, without byte order mark; what is taken for UTF-8 already is not checked.

    Raises:
        UnicodeDecodeError: it begins as UTF-16 or UTF-32, and is not valid there.
    """
    encoding = utf_encoding(content)
    if encoding in ("utf-8", "utf-8-sig"):
        return content.removeprefix(codecs.BOM_UTF8)
    return content.decode(encoding).encode()
