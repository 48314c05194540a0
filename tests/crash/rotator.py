"""``python rotator.py``: ``keys rotate`` that dies by SIGKILL once its first secrets are sealed anew."""

import main as waypost
from core import rotation
from tests.crash.driver import then_die

if __name__ == "__main__":
    rotation._reseal_column = then_die(rotation._reseal_column, when=lambda done: done > 0)
    waypost.rotate_keys()
