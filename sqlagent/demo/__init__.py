"""`sqlagent demo`: the whole loop on a small database, each step as its SQL and the rows.

It needs no network and no model beside the one in the package.
"""

from __future__ import annotations

import sys
import time


def main(folder: str | None = None, keep: bool = False) -> int:
    """Shows the tour in `folder`, which it makes anew; returns the exit status, 1 after an error.

    Arguments:
      folder: where the files go, `demo` by default. One that holds anything but an earlier tour is
        refused.
      keep: leave the files behind also when Ctrl-C (or a closed pipe) ends the tour. After a whole
        tour they always stay, because its last words are what to type next.

    Errors: KeyboardInterrupt after Ctrl-C; BrokenPipeError where nobody reads on.
    """
    import sqlagent

    from .folder import Folder, Taken
    from .follow import what_next
    from .screen import Screen
    from .tour import take

    place = Folder(folder or "demo")
    started = time.perf_counter()
    screen = Screen()
    try:
        place.make()
        take(place, screen)
    except (KeyboardInterrupt, BrokenPipeError):
        if not keep:
            place.clear()
        raise
    except (sqlagent.Error, Taken) as error:
        return _failed(str(error))
    except OSError as error:
        return _failed(f'"{error.filename}": {error.strerror}' if error.filename else str(error))
    screen.heading(f"That was all, in {time.perf_counter() - started:.0f} s. Type next:")
    screen.lines(what_next(place.database))
    return 0


def _failed(message: str) -> int:
    """Says what went wrong, after all that was shown; returns the exit status."""
    sys.stdout.flush()
    print(f"error: {message}", file=sys.stderr, flush=True)
    return 1
