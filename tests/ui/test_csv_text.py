import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.csv_text import csv_line

CELLS = st.lists(st.text(alphabet='ab=+-@\t\r\n",;', max_size=6), min_size=2, max_size=4)


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_begins_as_a_formula_does(begins: str) -> None:
    (row,) = csv.reader(io.StringIO(csv_line([f"{begins}1+1", "a"]), newline=""))
    assert row == [f"'{begins}1+1", "a"]


@given(CELLS)
def test_a_csv_reader_finds_what_was_written(cells: list[str]) -> None:
    (row,) = csv.reader(io.StringIO(csv_line(cells), newline=""))
    assert [cell.removeprefix("'") for cell in row] == [cell.removeprefix("'") for cell in cells]


def test_nothing_is_an_empty_cell_and_a_number_its_digits() -> None:
    assert csv_line([None, 7, "x"]) == ",7,x\r\n"
