"""A glance for what was encrypted and then written in letters (base64, base85), so as to look like text.

It decides nothing but whether a writer waits for the judge.
"""

import string

_HEAD = 256
"""Bytes looked at."""
_KINDS = 52
"""Different ones among them: 62.8 (deviation 1.1) in 256 characters of base64, about 40 in words."""
_WRITTEN = bytes(string.ascii_letters + string.digits + string.punctuation + "\r\n", "ascii")


def looks_encoded(head: bytes) -> bool:
    """Whether a file begins with letters, digits and signs that are no words: no space, nearly all kinds."""
    head = head[:_HEAD]
    if len(head) < _HEAD or b" " in head:
        return False
    return len(set(head)) >= _KINDS and not head.translate(None, _WRITTEN)
