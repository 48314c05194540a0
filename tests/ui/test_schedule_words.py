import pytest

from ui.pages.schedule_words import cadence, took


@pytest.mark.parametrize(
    ("every_s", "at_s", "words"),
    [
        (1.0, None, "Every second"),
        (2.5, None, "Every 2.5 s"),
        (60.0, None, "Every minute"),
        (300.0, 0.0, "Every 5 min"),
        (3600.0, 420.0, "Hourly at :07"),
        (86_400.0, 9000.0, "Daily at 02:30 UTC"),
        (21_600.0, 0.0, "At 00:00, 06:00, 12:00 and 18:00 UTC"),
        (43_200.0, 0.0, "At 00:00 and 12:00 UTC"),
        (7200.0, 0.0, "Every 2 h from 00:00 UTC"),
    ],
)
def test_c2_when_a_schedule_runs_in_words(every_s: float, at_s: float | None, words: str) -> None:
    assert cadence(every_s, at_s) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.0, "0 ms"), (0.25, "250 ms"), (2.54, "2.5 s"), (75.0, "1 min")]
)
def test_how_long_a_run_took(seconds: float, words: str) -> None:
    assert took(seconds) == words
