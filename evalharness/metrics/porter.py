"""Porter's stemmer for English (Porter 1980) with the extensions of NLTK, which rouge-score uses.

The stem of every word of a–z and 0–9 is that of ``nltk.stem.PorterStemmer()``. Written again because each new word of
a corpus needs it, where NLTK takes three to four times as long, after a third of a second to import.
"""

from __future__ import annotations

from collections.abc import Mapping

_IRREGULAR = {
    "sky": "sky", "skies": "sky", "dying": "die", "lying": "lie", "tying": "tie", "news": "news", "innings": "inning",
    "inning": "inning", "outings": "outing", "outing": "outing", "cannings": "canning", "canning": "canning",
    "howe": "howe", "proceed": "proceed", "exceed": "exceed", "succeed": "succeed",
}  # fmt: skip

_KEPT_ENDINGS = frozenset("abfhjkopqvwxz0123456789")  # no rule ends in these, nor does an irregular word
_SHORTEST = 3

_STEP2 = {
    "ational": "ate", "tional": "tion", "enci": "ence", "anci": "ance", "izer": "ize", "bli": "ble", "entli": "ent",
    "eli": "e", "ousli": "ous", "ization": "ize", "ation": "ate", "ator": "ate", "alism": "al", "iveness": "ive",
    "fulness": "ful", "ousness": "ous", "aliti": "al", "iviti": "ive", "biliti": "ble", "fulli": "ful",
}  # fmt: skip
_STEP3 = {"icate": "ic", "ative": "", "alize": "al", "iciti": "ic", "ical": "ic", "ful": "", "ness": ""}
_STEP4 = dict.fromkeys(
    ("al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism", "ate",
     "iti", "ous", "ive", "ize"), "",
)  # fmt: skip

_LONGEST_SUFFIX = 7
_LAST_TWO = frozenset(suffix[-2:] for rules in (_STEP2, _STEP3, _STEP4) for suffix in rules) | {"gi"}

_TO_SHAPE = str.maketrans({c: "v" if c in "aeiou" else "c" for c in "abcdefghijklmnopqrstuvwxz0123456789"})


def stem(word: str) -> str:
    """The stem of a word of the characters a–z and 0–9."""
    if word[-1:] in _KEPT_ENDINGS or len(word) < _SHORTEST:
        return word
    irregular = _IRREGULAR.get(word)
    if irregular is not None:
        return irregular
    if word.endswith("s"):
        word = _plural(word)
    if word.endswith(("d", "g")):
        word = _past_and_participle(word)
    if word.endswith("y"):
        word = _terminal_y(word)
    if word[-2:] in _LAST_TWO:
        word = _step4(_replace(_step2(word), _STEP3, 0))
    return _final_letter(word) if word.endswith(("e", "l")) else word


def _shape(word: str) -> str:
    """The word with ``c`` for consonants and ``v`` for vowels; a y is a vowel after a consonant."""
    shape = word.translate(_TO_SHAPE)
    return _without_y(shape) if "y" in shape else shape


def _without_y(shape: str) -> str:
    kinds: list[str] = []
    for kind in shape:
        if kind == "y":
            kind = "v" if kinds and kinds[-1] == "c" else "c"
        kinds.append(kind)
    return "".join(kinds)


def _measure(word: str) -> int:
    """Porter's m: how often a vowel is followed by a consonant."""
    return _shape(word).count("vc")


def _ends_short(word: str) -> bool:
    """Porter's *o: consonant, vowel, consonant other than w, x, y at the end; or a vowel and a consonant alone."""
    shape = _shape(word)
    return shape == "vc" or (shape.endswith("cvc") and word[-1] not in "wxy")


def _plural(word: str) -> str:
    """Step 1a, of a word that ends in s."""
    if word.endswith("ss"):
        return word
    if word.endswith("ies"):
        return word[:-1] if len(word) == 4 else word[:-2]
    return word[:-2] if word.endswith("sses") else word[:-1]


def _past_and_participle(word: str) -> str:
    """Step 1b."""
    if word.endswith("ied"):
        return word[:-1] if len(word) == 4 else word[:-2]
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) else word
    if word.endswith("ed"):
        rest = word[:-2]
    elif word.endswith("ing"):
        rest = word[:-3]
    else:
        return word
    shape = _shape(rest)
    return _mended(rest, shape) if "v" in shape else word


def _mended(word: str, shape: str) -> str:
    """What is left of a verb without its ending, as it would be written."""
    if word.endswith(("at", "bl", "iz")):
        return word + "e"
    if len(word) > 1 and word[-1] == word[-2] and shape[-1] == "c":
        return word if word[-1] in "lsz" else word[:-1]
    return word + "e" if shape.count("vc") == 1 and _ends_short(word) else word


def _terminal_y(word: str) -> str:
    """Step 1c, of a word that ends in y."""
    if len(word) > 2 and _shape(word[:-1])[-1] == "c":
        return word[:-1] + "i"
    return word


def _step2(word: str) -> str:
    """Step 2: double suffixes."""
    if word.endswith("alli") and _measure(word[:-4]):
        word = word[:-2]
    if word.endswith("logi"):
        return word[:-1] if _measure(word[:-3]) else word
    return _replace(word, _STEP2, 0)


def _step4(word: str) -> str:
    """Step 4: single suffixes."""
    if word.endswith("ion") and word[-4:-3] not in ("s", "t"):
        return word
    return _replace(word, _STEP4, 1)


def _final_letter(word: str) -> str:
    """Step 5."""
    if word.endswith("e"):
        rest = word[:-1]
        measure = _measure(rest)
        if measure > 1 or (measure == 1 and not _ends_short(rest)):
            word = rest
    return word[:-1] if word.endswith("ll") and _measure(word[:-1]) > 1 else word


def _replace(word: str, rules: Mapping[str, str], above: int) -> str:
    """Replace the longest suffix that has a rule, if what is before it has a measure above ``above``."""
    for length in range(min(len(word), _LONGEST_SUFFIX), 1, -1):
        replacement = rules.get(word[-length:])
        if replacement is not None:
            rest = word[:-length]
            return rest + replacement if _measure(rest) > above else word
    return word
