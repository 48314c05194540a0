"""Relative links of the documents lead somewhere, and their anchors are headings."""

from tests.docs.markdown import DOCS, anchors, documents, links


def test_links_lead_somewhere() -> None:
    for path in documents():
        for link in links(path):
            if link.startswith(("http://", "https://", "mailto:")):
                continue
            file, _, anchor = link.partition("#")
            target = (path.parent / file).resolve() if file else path
            assert target.exists(), f"{path.name} links to {link}, which is not there"
            if anchor:
                assert anchor in anchors(target), f"{path.name} links to {link}, which is no heading there"


def test_every_document_and_picture_is_linked() -> None:
    reached = {
        (path.parent / link.partition("#")[0]).resolve() for path in documents() for link in links(path)
    }
    reached.add(DOCS / "README.md")  # what a repository shows of the folder
    here = {*DOCS.glob("*.md"), *(DOCS / "pictures").glob("*.png")}
    assert not sorted(path.name for path in here if path not in reached)
