import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalharness.data.csvcells import guarded, unguarded
from tests.data_io.make_hostile import FORMULAS


@given(st.text(alphabet="'=+-@ \t\r\n\u200b\uff1dab|%1") | st.text())
def test_guarding_can_be_undone(text: str) -> None:
    assert unguarded(guarded(text)) == text
    assert guarded(text) in (text, f"'{text}")


@pytest.mark.parametrize("text", [*FORMULAS, " =1", "'=1", "\u200e@x", "\u3000＋1"])
def test_formulas_are_guarded(text: str) -> None:
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "plain", "it's", "'quoted'", "1-2", "a=b", "é", "日本"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert guarded(text) == text == unguarded(text)
