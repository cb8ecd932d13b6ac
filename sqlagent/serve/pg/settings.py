"""The settings of a session that PostgreSQL's clients set and ask for.

Those of the engine (`dialect`, `route`, `statement_timeout` …) go to the engine. SET LOCAL lasts to
the end of the transaction, and what a transaction set is undone with it.
"""

from __future__ import annotations

import codecs
import datetime
from collections.abc import Callable
from typing import Any, NamedTuple

from sqlagent.errors import NotSupportedError, ProgrammingError, nearest

SERVER_VERSION = "15.0"


class Known(NamedTuple):
    """A setting: its default, what checks a value (None: any text), whether clients are told of
    it, and whether it may be set."""

    default: str
    check: Callable[[str, str], str] | None = None
    reported: bool = False
    fixed: bool = False


def _invalid(name: str, value: str, hint: str | None = None) -> ProgrammingError:
    return ProgrammingError(
        f'invalid value for parameter "{name}": "{value}"', hint=hint, sqlstate="22023"
    )


def _bool(name: str, value: str) -> str:
    said = value.strip().lower()
    for result, words in (("on", ("true", "yes", "on", "1")), ("off", ("false", "no", "off", "0"))):
        if said and said != "o" and any(w.startswith(said) for w in words):
            return result
    raise ProgrammingError(f'parameter "{name}" requires a Boolean value', sqlstate="22023")


def _on(name: str, value: str) -> str:
    if _bool(name, value) != "on":
        raise NotSupportedError(f'"{name}" is always on here')
    return "on"


def _integer(low: int, high: int) -> Callable[[str, str], str]:
    def check(name: str, value: str) -> str:
        try:
            number = int(float(value))
        except ValueError:
            raise _invalid(name, value) from None
        if not low <= number <= high:
            raise ProgrammingError(
                f'{number} is outside the valid range for parameter "{name}" ({low} .. {high})',
                sqlstate="22023",
            )
        return str(number)

    return check


def _one_of(*words: str) -> Callable[[str, str], str]:
    def check(name: str, value: str) -> str:
        if value.lower() not in words:
            raise _invalid(name, value, f"Available values: {', '.join(words)}.")
        return value.lower()

    return check


_MS = {"us": 0.001, "ms": 1, "": 1, "s": 1000, "min": 60_000, "h": 3_600_000, "d": 86_400_000}


def milliseconds(name: str, value: str) -> int:
    """A time such as `5s` or `200` in milliseconds."""
    import re

    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(us|ms|s|min|h|d|)\s*", value)
    if found is None:
        raise _invalid(name, value, 'Valid units are "us", "ms", "s", "min", "h", and "d".')
    return round(float(found[1]) * _MS[found[2]])


def _time(name: str, value: str) -> str:
    number = milliseconds(name, value)
    for unit in ("d", "h", "min", "s"):
        if number and not number % _MS[unit]:
            return f"{int(number / _MS[unit])}{unit}"
    return f"{number}ms" if number else "0"


def _datestyle(name: str, value: str) -> str:
    words = [w.strip().upper() for w in value.split(",") if w.strip()]
    for word in words:
        if word in ("SQL", "GERMAN", "POSTGRES"):
            raise NotSupportedError(f'dates are written in ISO form here, not in "{word}"')
        if word not in ("ISO", "MDY", "US", "NONEURO", "DMY", "EURO", "YMD", "DEFAULT"):
            raise _invalid(name, value)
    order = {"US": "MDY", "NONEURO": "MDY", "EURO": "DMY"}
    found = [order.get(w, w) for w in words if w not in ("ISO", "DEFAULT")]
    return f"ISO, {found[-1] if found else 'MDY'}"


def zone_of(value: str) -> datetime.tzinfo:
    """The time zone of a name, or of an offset in hours east. Raises ProgrammingError."""
    import zoneinfo

    said = value.strip()
    if said.upper() in ("UTC", "GMT", "Z", "ETC/UTC", "DEFAULT", "LOCAL"):
        return datetime.UTC
    try:
        hours, _, minutes = said.partition(":")  # +08, -3.5, +05:30
        size = abs(float(hours)) + float(minutes or 0) / 60
        return datetime.timezone(datetime.timedelta(hours=-size if said[0] == "-" else size))
    except (ValueError, OverflowError, IndexError):
        pass
    try:
        return zoneinfo.ZoneInfo(said)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise _invalid("TimeZone", value) from None


def _zone(name: str, value: str) -> str:
    zone_of(value)
    return "UTC" if value.upper() in ("UTC", "DEFAULT", "LOCAL") else value


_ENCODINGS = {
    "UTF8": "utf-8", "UNICODE": "utf-8", "SQLASCII": "utf-8", "LATIN1": "latin-1",
    "LATIN2": "iso8859-2", "LATIN5": "iso8859-9", "LATIN9": "iso8859-15", "ISO88591": "latin-1",
    "WIN1250": "cp1250", "WIN1251": "cp1251", "WIN1252": "cp1252", "WIN1256": "cp1256",
    "EUCCN": "gb2312", "GBK": "gbk", "GB18030": "gb18030", "BIG5": "big5", "EUCJP": "euc_jp",
    "SJIS": "shift_jis", "SHIFTJIS": "shift_jis", "EUCKR": "euc_kr", "UHC": "cp949",
    "KOI8R": "koi8_r", "KOI8": "koi8_r", "WIN936": "gbk", "WIN950": "big5",
}  # fmt: skip


def codec_of(value: str) -> str:
    """Python's name of an encoding of PostgreSQL's. Raises ProgrammingError."""
    key = value.upper().replace("-", "").replace("_", "").strip("'\" ")
    found = _ENCODINGS.get(key)
    if found is None:
        raise _invalid("client_encoding", value)
    return codecs.lookup(found).name


def _encoding(name: str, value: str) -> str:
    codec = codec_of(value)
    if codec == "utf-8":
        return "SQL_ASCII" if "ASCII" in value.upper() else "UTF8"
    return value.upper().strip("'\" ")


_LEVEL = _one_of("serializable", "repeatable read", "read committed", "read uncommitted")
_MESSAGES = _one_of("debug5", "debug4", "debug3", "debug2", "debug1", "debug", "log", "info",
                    "notice", "warning", "error", "fatal", "panic")  # fmt: skip

_STYLES = _one_of("postgres", "iso_8601", "postgres_verbose", "sql_standard")
KNOWN: dict[str, Known] = {
    "server_version": Known(SERVER_VERSION, None, True, True),
    "server_version_num": Known("150000", None, False, True),
    "server_encoding": Known("UTF8", None, True, True),
    "client_encoding": Known("UTF8", _encoding, True),
    "application_name": Known("", None, True),
    "DateStyle": Known("ISO, MDY", _datestyle, True),
    "IntervalStyle": Known("postgres", _STYLES, True),
    "TimeZone": Known("UTC", _zone, True),
    "integer_datetimes": Known("on", None, True, True),
    "is_superuser": Known("off", None, True, True),
    "session_authorization": Known("", None, True, True),
    "standard_conforming_strings": Known("on", _on, True),
    "in_hot_standby": Known("off", None, True, True),
    "default_transaction_read_only": Known("off", _bool, True),
    "default_transaction_isolation": Known("read committed", _LEVEL),
    "default_transaction_deferrable": Known("off", _bool),
    "transaction_isolation": Known("read committed", _LEVEL),
    "transaction_read_only": Known("off", _bool),
    "transaction_deferrable": Known("off", _bool),
    "search_path": Known('"$user", public', None),
    "extra_float_digits": Known("1", _integer(-15, 3)),
    "statement_timeout": Known("0", _time),
    "lock_timeout": Known("0", _time),
    "idle_in_transaction_session_timeout": Known("0", _time),
    "idle_session_timeout": Known("0", _time),
    "client_min_messages": Known("notice", _MESSAGES),
    "log_min_messages": Known("warning", _MESSAGES),
    "bytea_output": Known("hex", _one_of("hex", "escape")),
    "xmloption": Known("content", _one_of("content", "document")),
    "escape_string_warning": Known("on", _bool),
    "backslash_quote": Known("safe_encoding", None),
    "array_nulls": Known("on", _on),
    "row_security": Known("on", _bool),
    "check_function_bodies": Known("on", _bool),
    "quote_all_identifiers": Known("off", _bool),
    "synchronize_seqscans": Known("on", _bool),
    "default_table_access_method": Known("heap", None),
    "default_tablespace": Known("", None),
    "default_text_search_config": Known("pg_catalog.simple", None),
    "default_toast_compression": Known("pglz", None),
    "default_statistics_target": Known("100", _integer(1, 10_000)),
    "temp_tablespaces": Known("", None),
    "lc_collate": Known("C.UTF-8", None, False, True),
    "lc_ctype": Known("C.UTF-8", None, False, True),
    "lc_messages": Known("C", None),
    "lc_monetary": Known("C", None),
    "lc_numeric": Known("C", None),
    "lc_time": Known("C", None),
    "max_connections": Known("100", None, False, True),
    "max_identifier_length": Known("63", None, False, True),
    "max_index_keys": Known("32", None, False, True),
    "block_size": Known("8192", None, False, True),
    "data_checksums": Known("off", None, False, True),
    "max_function_args": Known("100", None, False, True),
    "port": Known("5432", None, False, True),
    "listen_addresses": Known("localhost", None, False, True),
    "ssl": Known("off", None, False, True),
    "wal_level": Known("replica", None, False, True),
    "config_file": Known("", None, False, True),
    "data_directory": Known("", None, False, True),
    "hba_file": Known("", None, False, True),
    "transform_null_equals": Known("off", _bool),
    "synchronous_commit": Known("on", None),
    "work_mem": Known("4MB", None),
    "maintenance_work_mem": Known("64MB", None),
    "temp_buffers": Known("8MB", None),
    "random_page_cost": Known("4", None),
    "seq_page_cost": Known("1", None),
    "cpu_tuple_cost": Known("0.01", None),
    "effective_cache_size": Known("4GB", None),
    "enable_seqscan": Known("on", _bool),
    "enable_indexscan": Known("on", _bool),
    "enable_bitmapscan": Known("on", _bool),
    "enable_nestloop": Known("on", _bool),
    "enable_hashjoin": Known("on", _bool),
    "enable_mergejoin": Known("on", _bool),
    "enable_sort": Known("on", _bool),
    "enable_material": Known("on", _bool),
    "geqo": Known("on", _bool),
    "jit": Known("off", _bool),
    "cursor_tuple_fraction": Known("0.1", None),
    "constraint_exclusion": Known("partition", None),
    "from_collapse_limit": Known("8", None),
    "join_collapse_limit": Known("8", None),
    "plan_cache_mode": Known("auto", None),
    "password_encryption": Known("scram-sha-256", None),
    "session_replication_role": Known("origin", None),
    "tcp_keepalives_idle": Known("0", None),
    "tcp_keepalives_interval": Known("0", None),
    "tcp_keepalives_count": Known("0", None),
    "role": Known("none", None),
    "max_parallel_workers_per_gather": Known("0", None),
    "vacuum_cost_delay": Known("0", None),
    "autovacuum": Known("off", None, False, True),
    "track_activities": Known("on", None),
    "track_counts": Known("on", None),
    "gin_fuzzy_search_limit": Known("0", None),
    "allow_system_table_mods": Known("off", None, False, True),
    "debug_assertions": Known("off", None, False, True),
}
CANONICAL = {name.lower(): name for name in KNOWN}
REPORTED = [name for name, known in KNOWN.items() if known.reported]


class Settings:
    """One session's. `changed(name, value)` is called when a value that clients are told of, or one
    that the session acts on, becomes another."""

    def __init__(self, changed: Callable[[str, str], None]) -> None:
        self.values = {name: known.default for name, known in KNOWN.items()}
        self.defaults = dict(self.values)  # what RESET goes back to
        self.changed = changed
        self._before: dict[str, str] | None = None  # at the start of the transaction
        self._kept: dict[str, str] = {}  # what SET, not SET LOCAL, made of it

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    def known(self, name: str) -> str | None:
        """The setting's own spelling; None where it is not one of these."""
        found = CANONICAL.get(name.lower())
        if found is None and "." in name:
            return name.lower()
        return found

    def get(self, name: str) -> str | None:
        """The value of a setting in any spelling; None where there is none."""
        return self.values.get(self.known(name) or name)

    def check(self, name: str, value: str | None) -> tuple[str, str]:
        """The setting's own spelling and the value in its form; None is the default.

        Raises ProgrammingError for one that is not known (42704), cannot be changed (55P02) or
        cannot be that (22023).
        """
        key = self.known(name)
        if key is None:
            raise ProgrammingError(
                f'unrecognized configuration parameter "{name}"',
                hint=nearest(name, CANONICAL), sqlstate="42704",
            )  # fmt: skip
        known = KNOWN.get(key)
        if known is None:
            return key, value or ""
        if value is None:
            return key, self.defaults[key]
        if known.fixed:
            if value == self.values[key]:
                return key, value
            raise ProgrammingError(f'parameter "{key}" cannot be changed', sqlstate="55P02")
        return key, known.check(key, value) if known.check is not None else value

    def set(self, name: str, value: str | None, local: bool = False) -> str:
        """Set it; the value as it is kept."""
        key, checked = self.check(name, value)
        if self._before is not None and not local:
            self._kept[key] = checked
        self._put(key, checked)
        return checked

    def put(self, name: str, value: str) -> None:
        """Set what may not be set by a statement, or is this session's default."""
        self.defaults[name] = value
        self._put(name, value)

    def _put(self, name: str, value: str) -> None:
        if self.values.get(name) != value:
            self.values[name] = value
            self.changed(name, value)

    def reset_all(self) -> None:
        """RESET ALL."""
        for name, value in self.defaults.items():
            known = KNOWN.get(name)
            if known is not None and not known.fixed and not name.startswith("transaction_"):
                self.set(name, value)
        for name in [n for n in self.values if n not in self.defaults]:
            del self.values[name]

    # Transactions -----------------------------------------------------------------------------

    def begin(self) -> None:
        """A transaction begins."""
        self._before, self._kept = dict(self.values), {}

    def mark(self) -> dict[str, Any]:
        """What a savepoint goes back to."""
        return {"values": dict(self.values), "kept": dict(self._kept)}

    def back(self, mark: dict[str, Any]) -> None:
        """ROLLBACK TO a savepoint."""
        self._kept = dict(mark["kept"])
        self._restore(mark["values"])

    def end(self, committed: bool) -> None:
        """The transaction is over."""
        before, kept = self._before, self._kept
        self._before, self._kept = None, {}
        if before is not None:
            self._restore({**before, **kept} if committed else before)

    def _restore(self, values: dict[str, str]) -> None:
        for name in [n for n in self.values if n not in values]:
            del self.values[name]
        for name, value in values.items():
            self._put(name, value)
