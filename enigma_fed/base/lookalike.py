"""Names that a person would take for each other: characters that nobody sees or that look alike. Pure.

A part of Unicode's confusables (UTS 39) that fits names of homes: letters of other scripts that are drawn
like Latin ones, width and case, accents, digits. Two names with one skeleton look alike; that may be said of
a few that differ (Bill, Bi11), which costs nothing: they are shown with a piece of their DIDs.
"""

from __future__ import annotations

import unicodedata
from types import MappingProxyType
from typing import Final

_UNSEEN: Final = frozenset({"Cc", "Cf", "Zl", "Zp", "Co", "Cn", "Cs"})
_BLANK: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols, by their category, of which nothing is seen."""
_IGNORABLE: Final = (
    (0x034F, 0x034F),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0xFE00, 0xFE0F),
    (0xE0100, 0xE01EF),
)
"""Marks that are not drawn (Default_Ignorable_Code_Point): joiners and selectors of variants."""


def _pairs(ours: str, theirs: str) -> dict[str, str]:
    return dict(zip(theirs, ours, strict=True))


_BY_FORM: Final = MappingProxyType(str.maketrans("ϲϹϳ", "cCj"))  # noqa: RUF001
"""Before forms are made alike: that makes other letters of these."""
# Before case is folded: capitals that look like another letter than their small form does, and scripts that
# have capitals only, or whose small letters are drawn like them.
_CAPITALS: Final = MappingProxyType(
    str.maketrans("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧАВЕКМНОРСТХУІЅЈI", "ABEZHIKMNOPTYXABEKMHOPCTXYISJl")  # noqa: RUF001
    | str.maketrans("ꓮꓐꓚꓓꓰꓝꓖꓧꓲꓙꓗꓡꓟꓠꓳꓑꓣꓢꓔꓴꓦꓪꓫꓬꓜ", "ABCDEFGHlJKLMNOPRSTUVWXYZ")  # noqa: RUF001
    | str.maketrans("ᎪᏴᏟᎠᎬᏀᎻᎥᎫᏦᏞᎷᏢᎡᏚᎢᏙᎳᏃᏂ", "ABCDEGHiJKLMPRSTVWZh")  # noqa: RUF001
    | str.maketrans("ꭺᏼꮯꭰꭼꮐꮋꭵꭻꮶꮮꮇꮲꭱꮪꭲꮩꮃꮓꮒ", "ABCDEGHiJKLMPRSTVWZh")
)
_SMALL: Final = MappingProxyType(
    str.maketrans("аевгѕікһмопсртухјԁԛԝѵӏь", "aebrslkhmoncptyxjdqwvlb")
    | str.maketrans("αεικλμηνορτυχγω", "aelklmnvoptuxyw")
    | str.maketrans("օոսհցզ", "onuhgq")  # noqa: RUF001
    | str.maketrans("ᴀʙᴄᴅᴇɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "abcdeghljklmnoprstuvwyz")
    | str.maketrans("ⲁⲃⲉⲏⲓⲕⲙⲛⲟⲣⲥⲧⲩⲭⲍ", "abehlkmnopctyxz")
    | str.maketrans("σɩʋ℮ҽƅ×ǀ∨", "olveebxlv")  # noqa: RUF001
    | str.maketrans("ɑɡøđħłŧıi1|0−", "agodhltllllo-")  # noqa: RUF001
    | str.maketrans("’‘ʼʹ`´", "'" * 6)  # noqa: RUF001
)


def is_unseen(character: str) -> bool:
    """Whether nothing is seen of it, or it steers what is around it; the plain space is neither."""
    if unicodedata.category(character) in _UNSEEN or character in _BLANK:
        return True
    return any(first <= ord(character) <= last for first, last in _IGNORABLE)


def skeleton(name: str) -> str:
    """What names that look alike have in common; only good for comparing."""
    if not name.isascii():
        name = unicodedata.normalize("NFKD", name.translate(_BY_FORM))
    folded = name.translate(_CAPITALS).casefold()
    if not folded.isascii():
        folded = "".join(map(_drawn, unicodedata.normalize("NFKD", folded)))
    return " ".join(folded.translate(_SMALL).replace("rn", "m").replace("vv", "w").split())


def _drawn(character: str) -> str:
    """The letter without what is drawn around it or not at all."""
    if unicodedata.combining(character) or is_unseen(character):
        return ""
    return "-" if unicodedata.category(character) == "Pd" else character
