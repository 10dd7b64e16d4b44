"""The encoding of a text, told by its first bytes."""

import pytest

from digits_ray.encoding import in_utf8, utf_encoding


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
def test_a_text_is_the_same_in_any_unicode_encoding(encoding: str) -> None:
    assert in_utf8("seed: 5  # Größe".encode(encoding)) == "seed: 5  # Größe".encode()


@pytest.mark.parametrize("content", [b"", b"a", b"a\0", b"\0\0\x08\x03", b"\0\0\0\0", "é,".encode("latin-1")])
def test_what_tells_of_no_other_encoding_is_left_as_it_is(content: bytes) -> None:
    assert utf_encoding(content) == "utf-8"
    assert in_utf8(content) == content


def test_a_text_that_breaks_off_within_a_character_is_refused() -> None:
    with pytest.raises(UnicodeDecodeError):
        in_utf8("seed".encode("utf-16")[:-1])
