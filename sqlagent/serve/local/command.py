"""The process of the engine: how it begins, what it says to who started it, how it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import sys

from sqlagent.errors import Error
from sqlagent.serve.local.engine import IDLE_S, Engine


def serve(path: str, place: str, idle_s: float = IDLE_S) -> int:
    """Be the engine of a file; the exit status. The first line of output is `ready`, or an error.

    Output then goes nowhere, so that who started it need not read on.
    """
    engine = Engine(path, place, idle_s)
    try:
        if not engine.begin():
            _say("ready")
            return 0
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, engine.stop)
        os.chdir("/")  # so that no folder is kept from being unmounted
        _say("ready")
        engine.run()
        return 0
    except (Error, OSError) as error:
        _say(str(error).replace("\n", "; "))
        return 1
    finally:
        engine.close()


def _say(line: str) -> None:
    with contextlib.suppress(OSError):
        print(line, flush=True)
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, sys.stdout.fileno())
    os.close(sink)
