"""`sqlagent mcp FILE`: the file as tools of a language model's client, over stdio or HTTP."""

from collections.abc import Sequence

from .options import Parser, UsageError, check_file

EXAMPLES = """\
examples:
  sqlagent mcp agent.db                       reads, remembers and saves states
  sqlagent mcp agent.db --read-write          also INSERT, UPDATE, CREATE TABLE … by `execute`
  sqlagent mcp agent.db --agent ada           whose memories and states they are, if not said
  sqlagent mcp agent.db --http :8080 --user ada --password-file secret.txt

A client starts it by itself. Its configuration, such as claude_desktop_config.json, says:
  {"mcpServers": {"memory": {"command": "sqlagent", "args": ["mcp", "/home/ada/agent.db"]}}}
"""


def main(argv: Sequence[str]) -> int:
    """The command; returns the exit status. Errors: UsageError, sqlagent.Error."""
    made = Parser(
        prog="sqlagent mcp",
        description="Serves a database over the Model Context Protocol (stdio, or --http).",
        epilog=EXAMPLES,
    )
    made.add_argument("file", metavar="FILE", help="the database file; it is made if need be")
    may = made.add_mutually_exclusive_group()
    may.add_argument("--read-write", action="store_true", help="offer `execute`: any statement")
    may.add_argument("--read-only", action="store_true", help="not even `remember`, `save_state`")
    made.add_argument("--agent", metavar="NAME", help="the agent where a call names none")
    made.add_argument("--max-rows", type=_count, default=1000, metavar="N")
    made.add_argument("--max-chars", type=_count, default=50_000, metavar="N", help="of an answer")
    made.add_argument("--timeout", type=_seconds, default=30.0, metavar="S", help="of a statement")
    made.add_argument("--http", metavar="HOST:PORT", help="listen for HTTP, at /mcp")
    made.add_argument("--user", metavar="NAME", help="the one user of --http, who may write")
    made.add_argument("--password-file", metavar="FILE", help="whose first line is the password")
    options = made.parse_args(list(argv))
    check_file(options.file)
    if options.http is None:
        if options.user or options.password_file:
            raise UsageError("--user and --password-file are of --http")
        from sqlagent.serve.mcp.stdio import run

        access = "read" if options.read_only else "write" if options.read_write else "add"
        return run(
            options.file,
            access=access,
            agent=options.agent,
            rows=options.max_rows,
            characters=options.max_chars,
            seconds=options.timeout,
        )
    if options.agent or options.read_write or options.read_only:
        raise UsageError(
            "over HTTP each user has a role, and names the agent",
            "sqlagent users FILE add NAME --role reader | writer",
        )
    from .serve import main as serve

    account = ["--user", options.user] if options.user else []
    account += ["--password-file", options.password_file] if options.password_file else []
    timeout = ["--statement-timeout", str(round(options.timeout * 1000))]
    return serve([options.file, "--http", options.http, *account, *timeout])


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < 86_400:
        raise ValueError
    return value
