"""``python renewer.py POINT``: a clock of ours that dies by SIGKILL at a named point of a token's renewal."""

import sys

import main as waypost
from core.ports.graph import Graph
from core.tokens import refresh
from tests.crash.driver import then_die, then_die_async


def set_point(point: str) -> None:
    match point:
        case "after the turn is on disk" | "after all":
            pass
        case "after the inspection":
            Graph.inspect_token = then_die_async(Graph.inspect_token)  # type: ignore[method-assign]
        case "after the exchange":
            Graph.exchange_token = then_die_async(Graph.exchange_token)  # type: ignore[method-assign]
        case "while the new one is kept":
            refresh._keep_new = then_die(refresh._keep_new)
        case "after the proof":
            Graph.prove_token = then_die_async(Graph.prove_token)  # type: ignore[method-assign]
        case "while switching":
            refresh._switch = then_die(refresh._switch)
        case _:
            raise LookupError(point)


if __name__ == "__main__":
    set_point(sys.argv[1])
    if sys.argv[1] == "after the turn is on disk":
        refresh._take_all = then_die(refresh._take_all)
    with waypost._runtime(waypost._settings()) as runtime:
        refresh.keep_alive(runtime)
