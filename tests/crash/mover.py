"""``python mover.py ADDRESS``: a move to PostgreSQL that dies by SIGKILL while it copies the messages."""

import sys

import main as waypost
from core.backups import moving
from tests.crash.driver import then_die

if __name__ == "__main__":
    moving.insert = then_die(moving.insert, when=lambda made: made.table.name == "message")
    with waypost._runtime(waypost._settings()) as runtime:
        moving.move(runtime, sys.argv[1], say=print)
