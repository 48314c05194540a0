"""``python composed.py worker|web``: a process of ours as it is composed in production, but for the phones'
throughput, which is lifted: it would be measured instead of us."""

import sys
from dataclasses import replace

import main as waypost

if __name__ == "__main__":
    settings = waypost._settings()
    with waypost._runtime(settings) as runtime:
        lifted = replace(runtime, throughput_lifted=True)
        if sys.argv[1] == "worker":
            from jobs.queue import open_queue
            from jobs.worker import run_worker

            run_worker(lifted, open_queue(settings.waypost_queue_url), with_clock=True)
        else:
            from ui.server import run_web

            run_web(lifted, version=waypost.__version__)
