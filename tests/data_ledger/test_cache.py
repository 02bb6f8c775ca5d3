"""The verdict cache: content in, the same content out, damage counts as absent."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest

from evalharness.data.cache import VerdictCache, cache_folder
from evalharness.data.cached_outcomes import cache_errors
from evalharness.errors import StorageError


@pytest.fixture
def cache(tmp_path: Path):
    opened = VerdictCache(tmp_path)
    yield opened
    opened.close()


def test_what_is_put_is_got(cache: VerdictCache):
    cache.put("k", {"text": "4", "usage": [1, 2]})
    assert cache.get("k") == {"text": "4", "usage": [1, 2]}
    assert cache.get("other") is None


@pytest.mark.parametrize("change", ["value = replace(value, '4', '5')", "key = 'k2'"])
def test_a_changed_entry_is_absent(cache: VerdictCache, change: str):
    cache.put("k", {"text": "4"})
    with sqlite3.connect(cache.path) as raw:
        raw.execute(f"UPDATE verdicts SET {change}")
    assert cache.get("k") is None
    assert cache.get("k2") is None


def test_clearing_and_pruning(cache: VerdictCache):
    for n in range(10):
        cache.put(f"k{n}", {"text": "x" * 1000})
    assert cache.prune(older_than=1000.0) == 0
    assert 0 < cache.prune(max_bytes=5000) < 10
    assert cache.clear() == cache.stats().entries + 4
    assert cache.stats().entries == 0


def test_the_folder_follows_xdg_and_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "c"))
    cache = VerdictCache()
    assert cache.path.parent == cache_folder() == tmp_path / "c" / "evalharness"
    assert stat.S_IMODE(cache.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(cache.path.parent.stat().st_mode) == 0o700
    cache.close()


def test_a_full_disk_is_no_reason_to_remove_the_cache(cache: VerdictCache):
    cache.put("k", {"text": "4"})
    pages = cache._db.execute("PRAGMA page_count").fetchone()[0]
    cache._db.execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StorageError, match="Free some space"), cache_errors(cache.path):
        cache._db.execute("CREATE TABLE more AS SELECT hex(randomblob(100000))")


def test_a_cache_that_was_removed_meanwhile_is_made_anew_and_private(cache: VerdictCache):
    with cache.closed():
        cache.path.unlink()
    cache.put("k", {"text": "4"})
    assert stat.S_IMODE(cache.path.stat().st_mode) == 0o600
    assert cache.get("k") == {"text": "4"}
