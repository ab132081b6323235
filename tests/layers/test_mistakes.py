"""Every mistake of the table is answered in its words, and none by an accident of the interpreter."""

import pytest

from tests.cases.mistakes import MISTAKES
from tests.layers.test_grid import ACCIDENTS


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_mistake_is_answered(mistake):
    with pytest.raises(mistake.error) as caught:
        mistake.make()
    text = str(caught.value)
    for words in mistake.words:
        assert words in text, text
    assert not any(accident in text for accident in ACCIDENTS), text


def test_rows_have_names_of_their_own():
    names = list(map(str, MISTAKES))
    assert len(names) == len(set(names))
