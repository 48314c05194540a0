"""A part of a page that is drawn anew only when what it shows has changed."""

from collections.abc import Callable
from typing import Any

from ui.parts.text import box


class Region:
    """``draw(*shown)`` draws into it; ``show`` with what it shows already does nothing."""

    def __init__(
        self, draw: Callable[..., None], classes: str = "", *, role: str = "", tag: str = "div"
    ) -> None:
        self._draw = draw
        self._shown: Any = None
        self._box = box(classes, role=role, tag=tag)

    def move(self, position: int) -> None:
        """To that place among what stands beside it."""
        self._box.move(target_index=position)

    def show(self, *shown: Any) -> None:
        if shown != self._shown:
            self._shown = shown
            self._box.clear()
            with self._box:
                self._draw(*shown)
