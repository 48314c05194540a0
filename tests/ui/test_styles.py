import re
from collections import defaultdict
from pathlib import Path

STYLES = Path(__file__).parents[2] / "ui" / "static" / "css"


# What every page is made of; the other sheets are of one subject each.
SHARED = {"base", "controls", "drawer", "frame", "overlays", "page", "table"}


def led_by(sheet: str) -> set[str]:
    """The classes that selectors of a sheet begin with."""
    plain = re.sub(r"/\*.*?\*/", "", sheet, flags=re.S)
    selectors = [one.strip() for rule in re.findall(r"([^{}]+)\{", plain) for one in rule.split(",")]
    return {found[0] for one in selectors if (found := re.match(r"\.[\w-]+", one))}


def test_a_class_of_one_subject_is_of_no_other() -> None:
    """Every page loads every sheet: two pages that mean their own by one name undo each other."""
    begins = {path.stem: led_by(path.read_text()) for path in STYLES.glob("*.css")}
    shared = set().union(*(begins.pop(name) for name in SHARED))
    subjects = defaultdict(set)
    for subject, names in begins.items():
        for name in names - shared:
            subjects[name].add(subject)
    assert len(subjects) > 100
    assert {name: found for name, found in subjects.items() if len(found) > 1} == {}
