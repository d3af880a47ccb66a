"""Whether a small text reads like a ransom note: French and English words that few other texts have."""

import re

_WORDS = (
    rb"\.onion\b|\btor browser\b|\btorproject",
    rb"\bbitcoins?\b|\bbtc\b|\bmonero\b|\bcrypto ?(currency|monnaie)",
    rb"\bransom\b|\bran\xc3?[\xa7\xe7]on\b|\bran\xc3\xa7on\b",
    rb"\b(de)?crypt(ed|ion|or|er|ing)?\b|\b(d\xc3?[\xa9\xe9])?chiffr\w*",
    rb"\byour (files|data|network|documents)\b|\bvos (fichiers|donn\xc3?[\xa9\xe9]es|documents)\b",
    rb"\bprivate key\b|\bcl\xc3?[\xa9\xe9] priv\w*|\bpersonal id\b|\bdecryption (key|id)\b",
    rb"\b(leak|publish|divulgu|publi)\w*\b.{0,80}\b(data|files|donn\w*|fichiers)\b",
    rb"\bhours?\b.{0,60}\b(pay|contact)|\bheures\b.{0,60}\b(pay|contact)",
)
_ASKS = tuple(re.compile(word, re.IGNORECASE | re.DOTALL) for word in _WORDS)
_ENOUGH = 3


def asks_for_ransom(text: bytes) -> bool:
    """Whether three of eight such things are in it, at least. Of UTF-16 every second byte is read."""
    if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = text[2 if text[:1] == b"\xff" else 3 :: 2]
    return sum(pattern.search(text) is not None for pattern in _ASKS) >= _ENOUGH
