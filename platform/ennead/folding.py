"""Text as people search for it: without accents, case or width (``dang`` finds ``Đặng``)."""

from __future__ import annotations

import unicodedata

# Letters that canonical decomposition leaves whole.
_WHOLE = str.maketrans({"đ": "d", "Đ": "D", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "ı": "i"})


def fold(text: str) -> str:
    """Fold ``text`` for search; used for the index and for queries alike.

    Examples
    --------
    >>> fold("Nguyễn^Thị  Ánh"), fold("ĐẶNG")
    ('nguyen thi anh', 'dang')
    """
    decomposed = unicodedata.normalize("NFKD", text)
    bare = "".join(c for c in decomposed if not unicodedata.combining(c))
    return " ".join(bare.translate(_WHOLE).casefold().replace("^", " ").replace("=", " ").split())
