"""How often a process of ours looks for garbage."""

import gc

YOUNG = 20_000
MIDDLE = 5
OLD = 5


def look_seldom() -> None:
    """To be called once everything is imported and composed.

    Python looks for cycles after every 700 new objects, and now and then through all that there are. With the
    hundred thousands that libraries keep for good that took two fifths of the time in which webhooks are
    applied. What exists now is not looked at again; what is made from now on is, a thirtieth as often, and
    all of it after half a million objects that stayed: a hundred pages, which are full of cycles, lie about
    till then, and not a thousand.
    """
    gc.collect()
    gc.freeze()
    gc.collect()  # Python waits for a quarter of what this found to come anew: it finds nothing now
    gc.set_threshold(YOUNG, MIDDLE, OLD)
