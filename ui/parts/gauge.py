"""How much of a limit is used now."""

from ui.parts.badge import Tone
from ui.parts.text import box, text


class Gauge:
    """``name`` says what is measured, for those who do not see it. Only what changed is sent, and nothing
    around it moves."""

    def __init__(self, label: str, name: str) -> None:
        with box("pace"):
            text(label)
            self._words = text("", "num")
            with box("gauge", role="meter") as self._bar:
                self._fill = box("fill")
        self._tone: Tone = "green"
        self._bar.props["aria-label"] = name
        self._bar.props["aria-valuemin"] = 0

    def show(self, value: int, limit: int, words: str, *, tone: Tone = "green") -> None:
        """``tone``: amber or red where how full it is means trouble."""
        self._words.set_text(words)
        if tone != self._tone:
            self._tone = tone
            self._fill.classes(replace=f"fill {tone}")
        known = {"aria-valuenow": value, "aria-valuemax": limit}
        if any(self._bar.props.get(name) != each for name, each in known.items()):
            self._bar.props.update(known)
            self._bar.update()
            self._fill.style(f"width: {min(100, value * 100 // max(1, limit))}%")
