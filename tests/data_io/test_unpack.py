import gzip
import io

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from evalharness.data.unpack import CHUNK, unpacked
from evalharness.errors import InputError


def unpack(data: bytes) -> bytes:
    return b"".join(unpacked(io.BytesIO(data), "f"))


def fault(data: bytes) -> str:
    with pytest.raises(InputError) as caught:
        unpack(data)
    (problem,) = caught.value.problems
    assert problem.source == "f"
    return str(problem)


TEXT = b'{"a": 1}\n' * 5


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=4))
def test_members_are_read_one_after_the_other(parts: list[bytes]) -> None:
    parts = [b"text ", *parts]
    whole = b"".join(parts)
    assert unpack(b"".join(map(gzip.compress, parts))) == whole
    assert unpack(b"".join(zstandard.compress(part) for part in parts)) == whole


def test_plain_text_passes_through() -> None:
    assert unpack(TEXT) == TEXT
    assert unpack(b"") == b""
    assert list(unpacked(io.BytesIO(b""), "f")) == []


@pytest.mark.parametrize("cut", range(1, 30))
def test_a_cut_archive_is_a_fault_wherever_it_is_cut(cut: int) -> None:
    assert "cut off" in fault(gzip.compress(TEXT)[:-cut])
    assert "cut off" in fault(zstandard.compress(TEXT)[: -min(cut, 12)])


def test_zero_padding_behind_gzip_is_allowed() -> None:
    assert unpack(gzip.compress(TEXT) + bytes(100)) == TEXT
    assert unpack(gzip.compress(TEXT) + bytes(100) + gzip.compress(TEXT)) == TEXT * 2


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_anything_else_behind_an_archive_is_a_fault(pack) -> None:
    assert "something else behind" in fault(pack(TEXT) + b"garbage")


def test_a_changed_byte_never_changes_the_content_in_silence() -> None:
    packed = gzip.compress(TEXT, mtime=0)
    noticed = 0
    for place in range(10, len(packed)):
        damaged = bytearray(packed)
        damaged[place] ^= 0x10
        try:
            assert unpack(bytes(damaged)) == TEXT  # a bit that only pads the last block
        except InputError:
            noticed += 1
    assert noticed >= len(packed) - 10 - 2


def test_a_skippable_zstd_frame_is_skipped() -> None:
    frame = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"notes"
    assert unpack(frame + zstandard.compress(TEXT)) == TEXT


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_bomb_comes_in_small_chunks(pack) -> None:
    packed = pack(b" " * 30_000_000)
    sizes = [len(chunk) for chunk in unpacked(io.BytesIO(packed), "f")]
    assert sum(sizes) == 30_000_000
    assert max(sizes) <= CHUNK


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("utf-16", "UTF-16LE"), ("utf-16-le", "UTF-16LE"), ("utf-16-be", "UTF-16BE"), ("utf-32", "UTF-32LE")],
)
def test_wide_encodings_are_named(encoding: str, name: str) -> None:
    data = '{"id": 1}'.encode(encoding)
    assert name in fault(data)
    assert name in fault(gzip.compress(data))


@pytest.mark.parametrize(
    ("start", "word"),
    [
        (b"PK\x03\x04", "ZIP"),
        (b"BZh9", "bzip2"),
        (b"\xfd7zXZ\x00", "xz"),
        (b"%PDF-1.7", "PDF"),
        (b"SQLite format 3\x00", "SQLite"),
    ],
)
def test_other_formats_are_named(start: bytes, word: str) -> None:
    assert word in fault(start + bytes(range(256)))


class Dripping(io.RawIOBase):
    """A pipe that gives a byte at a time."""

    def __init__(self, data: bytes) -> None:
        self._left = data

    def read(self, size: int = -1) -> bytes:
        head, self._left = self._left[:1], self._left[1:]
        return head


def test_a_slow_pipe_is_recognised_all_the_same() -> None:
    for data in (gzip.compress(TEXT), zstandard.compress(TEXT), TEXT):
        assert b"".join(unpacked(Dripping(data), "f")) == TEXT  # type: ignore[arg-type]


class Failing(io.RawIOBase):
    def read(self, size: int = -1) -> bytes:
        raise OSError(5, "Input/output error")


def test_a_disk_error_is_a_fault_of_the_file() -> None:
    with pytest.raises(InputError, match="Input/output error"):
        list(unpacked(Failing(), "f"))  # type: ignore[arg-type]


def test_damaged_zstd_is_a_fault() -> None:
    packed = bytearray(zstandard.ZstdCompressor(write_checksum=True).compress(TEXT * 100))
    packed[12] ^= 0xFF
    assert "zstd data is damaged" in fault(bytes(packed))
