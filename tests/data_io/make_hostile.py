"""41 hostile files of dialogues, each with what must become of it.

``accept``: every record is a dialogue. ``row-error``: some records are rejected, the others are read. ``file-error``:
nothing of the file may be used.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import Literal

import zstandard

Outcome = Literal["accept", "row-error", "file-error"]


@dataclass(frozen=True)
class Hostile:
    name: str
    data: bytes
    outcome: Outcome
    rows_ok: int
    rows_bad: int
    why: str


def dialogue(name: str, text: str = "hi") -> str:
    turns = [{"role": "user", "content": text}, {"role": "assistant", "content": "ok"}]
    return json.dumps({"id": name, "turns": turns}, ensure_ascii=False)


A, B = dialogue("a"), dialogue("b")
TWO = f"{A}\n{B}\n".encode()
PACKED = gzip.compress(TWO, mtime=0)
ZSTD = zstandard.ZstdCompressor().compress(TWO)

EVIL_IDS = [
    "../../etc/passwd",
    "/etc/passwd",
    "..\\..\\win.ini",
    "a/b",
    "CON",
    "a\x00b",
    ".",
    "",
    " ",
    "é" * 200,
    "-rf",
    "=1+1",
    "<script>alert(1)</script>",
    "::error::x",
    "\x1b[2J",
    "a\nb",
    "\u202egnp.exe",
    "x" * 5000,
    "$(id)",
    "{{7*7}}",
    "%2e%2e%2f",
]
FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "=cmd|' /C calc'!A0",
    "\uff1d1+1",
    '=HYPERLINK("http://evil")',
    "\u200b=1",
]
ANSI = "\x1b]0;pwn\x07\x1b[2J\x1b[31m\x9b2J\x1b]52;c;ZWNobw==\x07\x1b]8;;http://evil\x1b\\x"
COMMANDS = "\n::set-output name=x::y\n::add-mask::abc\n::stop-commands::tok\n##[error]x\n"
BIDI = "safe \u202e\u2066 evil \u2069\u202c \u200b\u200d\ufeff \U000e0041\U000e0042 end"
EMPTY_TURNS = """{"id":"a","turns":[]}
{"id":"b","turns":[{"role":"assistant","content":""}]}
{"id":"c","turns":[{"role":"assistant","content":null}]}
{"id":"d","turns":[{"role":"assistant"}]}
{"id":"e","turns":[{"content":"x"}]}
{"id":"f","turns":[{"role":"wizard","content":"x"}]}
{"id":"g","turns":[{"role":"assistant","content":["part",{"type":"text","text":"y"}]}]}
{"id":"h","turns":[{"role":"assistant","content":{"a":1}}]}
"""
COLLIDING = """{"id":1,"turns":[{"role":"user","content":"x"}]}
{"id":"1","turns":[{"role":"user","content":"y"}]}
{"id":1.0,"turns":[]}
{"id":true,"turns":[]}
"""
NON_FINITE = """{"id":"a","human":{"q":NaN},"turns":[{"role":"user","content":"x"}]}
{"id":"b","human":{"q":Infinity},"turns":[]}
{"id":"c","human":{"q":1e999},"turns":[]}
"""
SURROGATE = (
    r'{"id":"a","turns":[{"role":"user","content":"bad \ud800 char"},{"role":"assistant","content":"ok"}]}'
)
NUL = r'{"id":"a","turns":[{"role":"user","content":"x\u0000y"},{"role":"assistant","content":"ok"}]}'
BIG_ID = 12345678901234567890123
PLAIN = '"turns":[{"role":"user","content":"x"},{"role":"assistant","content":"y"}]}'
BAD_UTF8 = b'{"id":"b","turns":[{"role":"user","content":"\xff\xfe\xc0\xaf"}]}'
BOMB = gzip.compress(b'{"id":"a","turns":[{"role":"user","content":"' + b"x" * 20_000_000 + b'"}]}\n', 9)


def files() -> list[Hostile]:
    return [*_encodings(), *_json(), *_ids_and_texts(), *_containers()]


def _case(name: str, data: str | bytes, outcome: Outcome, ok: int, bad: int, why: str) -> Hostile:
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    return Hostile(name, raw, outcome, ok, bad, why)


def _encodings() -> list[Hostile]:
    separators = "x\u2028y\u2029z\u0085w\x0bq"
    return [
        _case(
            "bom.jsonl", b"\xef\xbb\xbf" + A.encode() + b"\n", "accept", 1, 0, "BOM at the start is ignored"
        ),
        _case("bom_mid.jsonl", f"{A}\n\ufeff{B}\n", "accept", 2, 0, "BOM of a joined file"),
        _case("crlf.jsonl", f"{A}\r\n{B}\r\n", "accept", 2, 0, "CRLF"),
        _case("no_final_newline.jsonl", f"{A}\n{B}", "accept", 2, 0, "valid last record"),
        _case("truncated_tail.jsonl", f"{A}\n{B[:-9]}", "row-error", 1, 1, "torn last record"),
        _case("blank_lines.jsonl", f"\n{A}\n\n \t\n{B}\n\n", "accept", 2, 0, "blank lines are counted"),
        _case("u2028.jsonl", dialogue("a", separators) + "\n", "accept", 1, 0, "lines end at \\n only"),
        _case("nul_in_string.jsonl", NUL + "\n", "accept", 1, 0, "an escaped NUL survives"),
        _case("raw_nul.jsonl", f"{A}\x00\n{B}\n", "row-error", 1, 1, "a raw NUL byte"),
        _case(
            "invalid_utf8.jsonl",
            A.encode() + b"\n" + BAD_UTF8 + b"\n" + dialogue("c").encode() + b"\n",
            "row-error",
            2,
            1,
            "one bad line does not lose the others",
        ),
        _case("utf16.jsonl", A.encode("utf-16"), "file-error", 0, 0, "the encoding is named"),
        _case("latin1.jsonl", dialogue("a", "café").encode("latin-1") + b"\n", "row-error", 0, 1, "clear"),
        _case("lone_surrogate.jsonl", f"{SURROGATE}\n{B}\n", "accept", 2, 0, "replaced and noted"),
    ]


def _json() -> list[Hostile]:
    twice = '{"id":"a","id":"b","turns":[],"turns":[{"role":"user","content":"x"}]}\n'
    deep = '{"id":"a","turns":' + "[" * 100_000 + "]" * 100_000 + "}\n"
    return [
        _case("nan_infinity.jsonl", NON_FINITE, "row-error", 0, 3, "non-finite numbers"),
        _case("bigint.jsonl", f'{{"id":{BIG_ID},{PLAIN}\n', "accept", 1, 0, "the id keeps every digit"),
        _case(
            "int_5000_digits.jsonl", f'{{"id":{"9" * 5000},"turns":[]}}\n{B}\n', "row-error", 1, 1, "too long"
        ),
        _case("dup_keys.jsonl", twice, "row-error", 0, 1, "duplicate keys are ambiguous"),
        _case("deep.jsonl", f"{deep}{B}\n", "row-error", 1, 1, "deep nesting"),
        _case(
            "not_objects.jsonl", f'1\n"x"\nnull\n[]\ntrue\n{B}\n', "row-error", 1, 5, "JSON of another type"
        ),
        _case("empty_turns.jsonl", EMPTY_TURNS, "row-error", 2, 6, "schema errors by name"),
    ]


def _ids_and_texts() -> list[Hostile]:
    alike = [dialogue(name) for name in ("caf\u00e9", "cafe\u0301", "ID", "id")]
    formulas = [dialogue(f"f{number}", text) for number, text in enumerate(FORMULAS)]
    twice = f"{A}\n{dialogue('a', 'different')}\n"
    return [
        _case("dup_ids.jsonl", twice, "file-error", 0, 0, "both lines are named"),
        _case("str_int_id_collision.jsonl", COLLIDING, "file-error", 0, 0, "1 and '1' are one id"),
        _case("unicode_id_collision.jsonl", "\n".join(alike) + "\n", "accept", 4, 0, "four different ids"),
        _case("missing_id.jsonl", f"{{{PLAIN}\n", "accept", 1, 0, "a content hash stands in"),
        _case(
            "evil_ids.jsonl", "\n".join(map(dialogue, EVIL_IDS)) + "\n", "accept", 21, 0, "ids are only text"
        ),
        _case("bidi_zero_width.jsonl", dialogue("a", BIDI) + "\n", "accept", 1, 0, "flagged"),
        _case("ansi.jsonl", dialogue("a", ANSI) + "\n", "accept", 1, 0, "terminal escapes are only text"),
        _case("ghactions.jsonl", dialogue("a", COMMANDS) + "\n", "accept", 1, 0, "commands are only text"),
        _case("formula.jsonl", "\n".join(formulas) + "\n", "accept", 10, 0, "formulas are only text"),
    ]


def _containers() -> list[Hostile]:
    first, second = gzip.compress(f"{A}\n".encode(), mtime=0), gzip.compress(f"{B}\n".encode(), mtime=0)
    return [
        _case("empty.jsonl", b"", "file-error", 0, 0, "empty input is an error"),
        _case("only_blank.jsonl", b"\n\n", "file-error", 0, 0, "empty input is an error"),
        _case("array.json", f"[{A},{B}]", "accept", 2, 0, "a JSON array"),
        _case("ok.jsonl.gz", PACKED, "accept", 2, 0, "gzip"),
        _case("two_members.jsonl.gz", first + second, "accept", 2, 0, "both members are read"),
        _case("trunc.jsonl.gz", PACKED[:-6], "file-error", 0, 0, "cut off"),
        _case("badcrc.jsonl.gz", PACKED[:-8] + bytes(4) + PACKED[-4:], "file-error", 0, 0, "checksum"),
        _case("trailing_garbage.jsonl.gz", PACKED + b"garbage", "file-error", 0, 0, "something behind it"),
        _case("misnamed.jsonl", PACKED, "accept", 2, 0, "gzip by its first bytes"),
        _case("bomb_20MB.jsonl.gz", BOMB, "row-error", 0, 1, "longer than a line may be"),
        _case("ok.jsonl.zst", ZSTD, "accept", 2, 0, "zstd"),
        _case("trunc.jsonl.zst", ZSTD[:-5], "file-error", 0, 0, "cut off"),
    ]
