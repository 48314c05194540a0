"""Text and boxes: the two things that everything else is made of."""

from nicegui import ui


class Text(ui.label):
    """``content`` as text, never as markup, in an element of our choice."""

    def __init__(self, content: str = "", classes: str = "", *, tag: str = "span") -> None:
        super().__init__(content)
        self.tag = tag
        if classes:
            self.classes(classes)


def text(content: str = "", classes: str = "", *, tag: str = "span") -> Text:
    return Text(content, classes, tag=tag)


def box(classes: str = "", *, tag: str = "div", label: str = "", role: str = "") -> ui.element:
    """An element to put others into, with ``with``. ``label`` names it for those who do not see it."""
    element = ui.element(tag)
    if classes:
        element.classes(classes)
    if label:
        element.props["aria-label"] = label
        element.props["role"] = role or ("region" if tag == "div" else None)
    elif role:
        element.props["role"] = role
    return element
