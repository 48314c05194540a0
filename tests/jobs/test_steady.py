import threading
from datetime import UTC, datetime, timedelta

from jobs.steady import SteadyScheduler


def test_what_would_stand_still_for_an_hour_runs_at_once_and_then_by_its_interval() -> None:
    """As every job would whose next moment was set before the clock was set back."""
    scheduler = SteadyScheduler()
    ran = threading.Event()
    job = scheduler.add_job(
        ran.set, "interval", hours=2, next_run_time=datetime.now(UTC) + timedelta(hours=1)
    )
    scheduler.start()
    try:
        assert not ran.is_set()
        scheduler.run_all_now()
        assert ran.wait(10)
        known = scheduler.get_job(job.id)  # once it is done with the jobs that it began
        assert timedelta(hours=1.9) < known.next_run_time - datetime.now(UTC) < timedelta(hours=2.1)
    finally:
        scheduler.shutdown()
