"""`sqlagent serve FILE --pg HOST:PORT …`: serves a database to clients of other protocols."""

from collections.abc import Sequence
from pathlib import Path

from .options import Parser, UsageError, check_file
from .users import first_line

EXAMPLES = """\
examples:
  sqlagent users agent.db add ada --role writer
  sqlagent serve agent.db --pg :5432
  sqlagent serve agent.db --pg 0.0.0.0:5432 --http 0.0.0.0:8080 --tls self-signed
  sqlagent serve agent.db --pg :5432 --user ada --password-file secret.txt

HOST:PORT is HOST:PORT, or :PORT for this machine alone. SIGTERM and SIGINT (Ctrl-C) end the server:
statements that run may finish within --grace seconds.
"""


def main(argv: Sequence[str]) -> int:
    """The command; returns the exit status. Errors: UsageError, sqlagent.Error."""
    made = Parser(
        prog="sqlagent serve",
        description="Serves a database over PostgreSQL's protocol, DuckDB's (quack) and HTTP.",
        epilog=EXAMPLES,
    )
    made.add_argument("file", metavar="FILE", help="the database file")
    made.add_argument("--pg", metavar="HOST:PORT", help="PostgreSQL's protocol")
    made.add_argument("--pg-socket", metavar="DIR", help="the same on a unix socket in DIR")
    made.add_argument("--quack", metavar="HOST:PORT", help="DuckDB's remote protocol")
    made.add_argument("--http", metavar="HOST:PORT", help="HTTP")
    made.add_argument("--user", metavar="NAME", help="the one user, who may read and write")
    made.add_argument("--password-file", metavar="FILE", help="whose first line is the password")
    made.add_argument("--tls", choices=("self-signed",), help="make a certificate, once")
    made.add_argument("--tls-cert", metavar="FILE", help="the certificate chain, as PEM")
    made.add_argument("--tls-key", metavar="FILE", help="its key, as PEM")
    limits = made.add_argument_group("limits (0: none)")
    limits.add_argument("--max-connections", type=_count, default=200, metavar="N")
    limits.add_argument("--max-connections-per-user", type=_count, default=0, metavar="N")
    limits.add_argument("--statement-timeout", type=_count, default=0, metavar="MS")
    limits.add_argument("--max-rows", type=_count, default=0, metavar="N", help="of a result")
    limits.add_argument(
        "--max-result-mb", type=_count, default=256, metavar="MB", help="held in memory"
    )
    limits.add_argument(
        "--max-message-mb", type=_count, default=64, metavar="MB", help="of one from a client"
    )
    limits.add_argument("--login-timeout", type=_seconds, default=10.0, metavar="S")
    limits.add_argument("--grace", type=_seconds, default=5.0, metavar="S", help="at the end")
    options = made.parse_args(list(argv))
    check_file(options.file, must_exist=True)
    if options.file == ":memory:":
        raise UsageError("a database in memory cannot be served")
    if (options.user is None) != (options.password_file is None):
        raise UsageError("--user and --password-file go together")
    if options.tls and (options.tls_cert or options.tls_key):
        raise UsageError("--tls self-signed makes the certificate: --tls-cert gives another")
    if options.tls_key and not options.tls_cert:
        raise UsageError("--tls-key is the key of --tls-cert, which is missing")

    from sqlagent.serve import command
    from sqlagent.serve.limits import Limits

    places = [
        command.place(p, text)
        for p in ("pg", "quack", "http")
        if (text := getattr(options, p)) is not None
    ]
    if options.pg_socket is not None:
        folder = str(Path(options.pg_socket).resolve())
        port = next((p.port for p in places if p.protocol == "pg"), 5432)
        places.append(command.Place("pg", folder, port))
    if not places:
        raise UsageError("nothing to listen on", "Such as --pg :5432")
    account = None
    if options.user is not None:
        account = (options.user, first_line(options.password_file))
    return command.serve(
        options.file,
        places,
        limits=Limits(
            options.max_connections, options.max_connections_per_user, options.statement_timeout,
            options.max_rows, options.max_result_mb, options.max_message_mb,
            options.login_timeout, options.grace,
        ),
        account=account,
        certificate=(options.tls_cert, options.tls_key) if options.tls_cert else None,
        self_signed=options.tls is not None,
    )  # fmt: skip


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < 86_400:
        raise ValueError
    return value
