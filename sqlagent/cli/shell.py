"""The interactive shell: history, completion, statements of several lines.

Imported only when a person is at the terminal: it loads prompt_toolkit.
"""

import os
import sys
from importlib import import_module
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.filters import completion_is_selected
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import Lexer

from .catalog import Names
from .complete import SqlCompleter
from .script import Quit, Script
from .session import Session
from .split import is_complete, lines_of


def shell(session: Session, *, new: bool = False) -> None:
    """Reads and runs statements until Ctrl-D or .quit; errors are shown and it goes on."""
    import sqlagent

    session.interactive = True
    made = "new file " if new else ""
    session.say(f"sqlagent {sqlagent.__version__} · {made}{session.path} · .help for help")
    prompt = _prompt_session(session)
    script = Script(session, keep_going=True)
    while True:
        try:
            text = prompt.prompt(lambda: _prompt(session))
            script.run(_lines(text))
        except KeyboardInterrupt:
            if session.cancel.pressed:
                session.cancel.pressed = False
                session.say("cancelled")
        except (EOFError, Quit):
            break
        except BrokenPipeError:  # a pager behind the output has gone; the shell has not
            session.set_output(None)
    if session.connection.in_transaction:
        session.say("the open transaction is rolled back")


def history_file() -> Path:
    """Where the history is kept: SQLAGENT_HISTORY, or `sqlagent/history` in the state folder."""
    named = os.environ.get("SQLAGENT_HISTORY")
    if named:
        return Path(named)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    else:
        base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "sqlagent" / "history"


def _prompt_session(session: Session) -> PromptSession[str]:
    return PromptSession(
        history=_history(),
        completer=SqlCompleter(Names(session)),
        auto_suggest=AutoSuggestFromHistory(),
        key_bindings=_keys(),
        lexer=_lexer(),
        multiline=True,
        prompt_continuation=_continuation,
        complete_while_typing=True,
        # Ctrl-C at the prompt drops the line; while a statement runs it is the session's.
        interrupt_exception=KeyboardInterrupt,
    )


def _history() -> History:
    """A file that only the user reads, as statements hold data; in memory where none can be."""
    path = history_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600))
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(path))


def _lexer() -> Lexer | None:
    """Colours, where Pygments is installed."""
    try:
        from prompt_toolkit.lexers import PygmentsLexer

        lexers = import_module("pygments.lexers.sql")
    except ImportError:
        return None
    return PygmentsLexer(lexers.SqlLexer)


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter", filter=~completion_is_selected)
    def _(event: KeyPressEvent) -> None:
        """Enter runs what is complete, and begins a new line in what is not."""
        buffer = event.current_buffer
        if ready(buffer.text):
            buffer.validate_and_handle()
        else:
            buffer.insert_text("\n")

    @keys.add("enter", filter=completion_is_selected)
    def _(event: KeyPressEvent) -> None:
        """Enter on a completion takes it."""
        event.current_buffer.complete_state = None

    return keys


def ready(text: str) -> bool:
    """Whether Enter should run `text`: nothing, a dot command, or complete statements."""
    stripped = text.strip()
    return not stripped or stripped.startswith(".") or _is_leaving(stripped) or is_complete(text)


def _is_leaving(text: str) -> bool:
    return text.lower() in ("exit", "quit")


def _lines(text: str) -> list[str]:
    if _is_leaving(text.strip().rstrip(";").strip()):
        raise Quit
    return lines_of(text.strip())


def _prompt(session: Session) -> str:
    """`agent> `, with a star while a transaction is open."""
    name = "memory" if session.path == ":memory:" else Path(session.path).stem
    return f"{name}{'*' if session.connection.in_transaction else ''}> "


def _continuation(width: int, line: int, wraps: bool | int) -> str:
    """Dots where a statement goes on in a new line, nothing where a long line only wraps."""
    return "" if wraps else ".. ".rjust(width)
