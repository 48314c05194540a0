"""What the documents say: their tables, links, anchors and examples."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#{1,6} +(.+)$", re.MULTILINE)


def documents() -> list[Path]:
    return [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]


def table(path: Path, head: str) -> dict[str, list[str]]:
    """Of all tables of the document whose first column is called ``head``: what stands between backticks in
    the first cell → the other cells."""
    found: dict[str, list[str]] = {}
    is_wanted = False
    for line in path.read_text().splitlines():
        if not line.startswith("|"):
            is_wanted = False
            continue
        first, *others = (cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1])
        if first == head:
            is_wanted = True
        elif is_wanted and not first.startswith("---"):
            name = first.removeprefix("`").removesuffix("`")
            assert name not in found, f"{path.name} has {name} twice"
            found[name] = others
    return found


def links(path: Path) -> list[str]:
    return _LINK.findall(_FENCE.sub("", path.read_text()))


def anchors(path: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = _HEADING.findall(_FENCE.sub("", path.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def examples(path: Path, language: str) -> list[str]:
    """The code blocks in that language, in order."""
    return [code for found, code in _FENCE.findall(path.read_text()) if found == language]
