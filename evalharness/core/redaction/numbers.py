"""Numbers that name a person or an account: cards (Luhn), IBANs (mod 97) and telephone numbers.

Cards and IBANs have check digits, so that few other numbers pass for one. Telephone numbers have none: a number counts
as one by a country code, by the shape of a national number, or by a word like "phone" before it. Bare numbers, dates,
amounts and numbers such as ``4471-2290`` don't. Every pattern has bounded repeats only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Span = tuple[int, int]

_IBAN_START = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?=[ \u00a0-]?[A-Za-z0-9])")
_IBAN_LENGTHS = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 "
    "ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 "
    "LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 "
    "QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"
)
IBAN_LENGTH = {entry[:2]: int(entry[2:]) for entry in _IBAN_LENGTHS.split()}
"""Characters of an IBAN by country, as the registry of ISO 13616 lists them."""

_SEPARATORS = " \u00a0-"
_DIGIT_GROUPS = re.compile(r"(?<!\w)(?<![0-9][.,])[0-9]{1,19}(?:[ \u00a0-][0-9]{1,19}){0,40}(?!\w)")
_CARD_BRANDS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|(?:5[1-5]\d{2}|222[1-9]|22[3-9]\d|2[3-6]\d{2}|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|3(?:0[0-5]|[68]\d)\d{11}"  # Diners Club
    r"|(?:6011|65\d{2}|64[4-9]\d)\d{12}"  # Discover
    r"|35\d{14}|(?:2131|1800)\d{11}"  # JCB
    r"|62\d{14,17}"  # UnionPay
    r"|9792\d{12}"  # Troy
    r"|220[0-4]\d{12}"  # Mir
    r"|(?:50|5[6-9]|6[0-9])\d{14,17}"  # Maestro
)

_GAP = r"[ \u00a0().\-/]{0,2}"
_SEP = r"[ \u00a0.\-/]"
_BEFORE = r"(?<![\w.,+/-])"
_EXTENSION = r"(?:[ \u00a0]?(?:x|ext\.?)[ \u00a0]?[0-9]{1,6})?(?!\w)"
_COUNTRY_CODE = re.compile(rf"(?<![\w+])(?:\+{_GAP}|00)[1-9](?:{_GAP}[0-9]){{7,15}}{_EXTENSION}")
_LEADING_ZERO = re.compile(
    rf"{_BEFORE}(?:\(0[1-9][0-9]{{1,4}}\){_SEP}{{0,2}}[0-9]{{2,8}}(?:{_SEP}{{1,2}}[0-9]{{2,8}}){{0,3}}"
    rf"|(?:0[ \u00a0]?\([1-9][0-9]{{1,3}}\)|0[1-9][0-9]{{0,4}})(?:{_SEP}{{1,2}}[0-9]{{2,8}}){{1,4}})"
    rf"{_EXTENSION}(?![.\-/][0-9])"
)
_OTHER_SHAPES = (
    re.compile(rf"{_BEFORE}0[1-9][0-9]{{8,9}}(?![\w/-])(?![.,][0-9])"),  # 05321234567
    re.compile(  # 532 123 45 67: Turkish, without the zero
        rf"{_BEFORE}\(?5[0-9]{{2}}\)?[ \u00a0.-][0-9]{{3}}[ \u00a0.-][0-9]{{2}}[ \u00a0.-]?[0-9]{{2}}(?![\w/-])"
    ),
    re.compile(  # (415) 555-0132, 1-800-555-0199, 347 123 4567
        rf"{_BEFORE}(?:1[ .-])?(?:\([2-9][0-9]{{2}}\)[ \u00a0-]?|[2-9][0-9]{{2}}[ \u00a0.-])"
        rf"[0-9]{{3}}[ \u00a0.-][0-9]{{4}}{_EXTENSION}(?![/-])"
    ),
)
_PHONE_WORD = re.compile(
    r"\b(?:tel|telefon\w{0,6}|telephone|telefono|teléfono|téléphone|phone|mobile?|móvil|cell|cellulare|fax|gsm|cep|"
    r"whatsapp|handy|rufnummer|portable|"
    r"(?:call|reach|text|ring) (?:me|us|him|her|them) (?:on|at))\b"
    r"(?P<between>[^0-9+\n]{0,24}?)\(?"
    rf"(?P<number>[0-9](?:{_GAP}[0-9]){{6,14}})(?!\w)",
    re.IGNORECASE,
)
_OTHER_NUMBER = re.compile(
    r"\b(?:order|invoice|ticket|case|parcel|tracking|booking|model|serial|part|sipariş\w*|fatura\w*|kargo\w*|takip|"
    r"bestell\w*|rechnung\w*|auftrag\w*|sendung\w*|commande|facture|colis|pedido|factura|ordine|fattura)\b",
    re.IGNORECASE,
)
_DATE = re.compile(
    r"(?<![0-9])(?<![0-9][./-])(?:[0-9]{1,2}([./-])[0-9]{1,2}\1(?:19|20)?[0-9]{2}|(?:19|20)[0-9]{2}([./-])[0-9]{1,2}\2[0-9]{1,2})(?![0-9]|[./-][0-9])"
)
_THOUSANDS = re.compile(r"[1-9][0-9]{0,2}(?:[.][0-9]{3})+")


def ibans(text: str) -> Iterator[Span]:
    """IBANs of a known country with the right length and check digits; blanks and hyphens may stand between."""
    for start in _IBAN_START.finditer(text):
        length = IBAN_LENGTH.get(start.group()[:2].upper())
        found = None if length is None else _take(text, start.start(), length)
        if found is not None and _mod97(found[0]) == 1:
            yield start.start(), found[1]


def _take(text: str, start: int, count: int) -> tuple[str, int] | None:
    """The next ``count`` letters and digits with single separators between them, and where they end."""
    taken: list[str] = []
    place = start
    while len(taken) < count:
        if place >= len(text):
            return None
        char = text[place]
        if char.isascii() and char.isalnum():
            taken.append(char)
        elif char not in _SEPARATORS or text[place - 1] in _SEPARATORS:
            return None
        place += 1
    after = text[place : place + 1]
    return None if after.isalnum() else ("".join(taken), place)


def _mod97(iban: str) -> int:
    """The remainder of ISO 7064 MOD 97-10; 1 for a sound IBAN."""
    turned = (iban[4:] + iban[:4]).upper()
    return int("".join(str(int(char, 36)) for char in turned)) % 97


def cards(text: str) -> Iterator[Span]:
    """Card numbers: 13 to 19 digits, whole groups, that begin as a brand's do and pass the Luhn check."""
    for run in _DIGIT_GROUPS.finditer(text):
        yield from _cards_within(run)


def _cards_within(run: re.Match[str]) -> Iterator[Span]:
    groups = [(m.start() + run.start(), m.end() + run.start()) for m in re.finditer("[0-9]+", run.group())]
    text = run.string
    first = 0
    while first < len(groups):
        digits, found = "", None
        for last in range(first, len(groups)):
            digits += text[slice(*groups[last])]
            if len(digits) > 19:
                break
            if len(digits) >= 13 and _CARD_BRANDS.fullmatch(digits) and luhn(digits):
                found = last
        if found is None:
            first += 1
        else:
            yield groups[first][0], groups[found][1]
            first = found + 1


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1)."""
    doubled = (int(digit) * 2 for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(d - 9 if d > 9 else d for d in doubled)) % 10 == 0


def phones(text: str) -> Iterator[Span]:
    """Telephone numbers by country code, national shape or a word before them."""
    yield from (match.span() for match in _COUNTRY_CODE.finditer(text))
    for match in _LEADING_ZERO.finditer(text):
        digits = sum(char.isdigit() for char in match.group())
        if 9 <= digits <= 13 and not _DATE.search(match.group()):
            yield match.span()
    for pattern in _OTHER_SHAPES:
        yield from (match.span() for match in pattern.finditer(text))
    for match in _PHONE_WORD.finditer(text):
        number = match["number"]
        if not (
            _OTHER_NUMBER.search(match["between"]) or _DATE.search(number) or _THOUSANDS.fullmatch(number)
        ):
            yield match.span("number")
