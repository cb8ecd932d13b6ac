"""Settings: what `SET name = value` can say, with defaults and checks; listed by
`sqlagent_settings`."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlagent.errors import ProgrammingError, nearest


class Setting(NamedTuple):
    """A setting: its default, what it may be, and what it does."""

    default: Any
    values: tuple[str, ...] | type
    description: str


SETTINGS: dict[str, Setting] = {
    "dialect": Setting(
        "duckdb",
        ("duckdb", "sqlite", "postgres"),
        "what a text means where dialects differ (5/2, LIKE and case, NULL order)",
    ),
    "route": Setting("auto", ("auto", "sqlite", "duckdb"), "which engine runs reads"),
    "default_engine": Setting(
        "rows",
        ("rows", "columns"),
        "what CREATE TABLE makes where it does not say USING: a table of rows or one of columns",
    ),
    "embedding_model": Setting(
        "minilm",
        str,
        "the model of embed(), recall() and search(): 'minilm', 'none' for words alone, or "
        "'sentence-transformers:NAME' with the extra [models]",
    ),
    "language_model": Setting(
        "",
        str,
        "what phrases the memories that consolidate() distils and reads relations for "
        "extract_graph(): '' for none, 'command:PROGRAM ARGUMENT ...' for a program that is given "
        "JSON on its input, or, from Python, a function; only connect() sets one, since it runs "
        "code",
    ),
    "language_model_timeout_ms": Setting(
        30_000, int, "how long a language model may take for one reply, in ms"
    ),
    "result_cache": Setting(
        True, bool, "whether results of reads on columns are kept until the next commit"
    ),
    "result_cache_mb": Setting(
        64, int, "how much memory kept results may take, in MB; one takes at most an eighth of it"
    ),
    "query_log": Setting(
        "on",
        ("on", "off"),
        "whether the shapes of statements, without literals, and their times are kept in "
        "sqlagent_query_log",
    ),
    "auto_index": Setting(
        "off",
        ("off", "on"),
        "whether CALL sync() creates up to three indexes that advise() measured to help",
    ),
    "statement_timeout_ms": Setting(
        0, int, "a statement that runs longer is interrupted; 0 is no limit"
    ),
    "synchronous": Setting(
        "full",
        ("full", "normal"),
        "'full' waits for the disk at each commit; 'normal' may lose the last to a power cut",
    ),
    "memory_limit_mb": Setting(
        1024, int, "how much memory DuckDB may use before it spills to disk, in MB"
    ),
    "search_cache_mb": Setting(
        512, int, "how much memory the search indexes of recent agents and collections may take"
    ),
    "vector_engine": Setting(
        "auto",
        ("auto", "lance"),
        "what knn() searches: 'auto' vectors or codes in memory; 'lance' a Lance dataset on disk, "
        "for collections larger than memory",
    ),
    "min_recall": Setting(
        0.95,
        float,
        "the share of the nearest vectors that knn() must find, 0 to 1: above 0.95, and of an "
        "index of Lance, it is measured on the collection's own rows, and all rows are compared "
        "where nothing less does",
    ),
    "recall_vector_weight": Setting(0.7, float, "weight of meaning in recall()"),
    "recall_words_weight": Setting(0.35, float, "weight of words in recall()"),
    "recall_context_weight": Setting(
        0.5, float, "weight of the words of the turns around a memory, beside its own"
    ),
    "recall_speaker_weight": Setting(
        0.25,
        float,
        "what recall() adds to what was said by the one speaker whom the question names",
    ),
    "recall_session_weight": Setting(
        0.3, float, "weight of what the best memories of the same session score"
    ),
    "recall_length_weight": Setting(
        0.25,
        float,
        "weight of a memory's length, which grows with its logarithm up to 400 characters",
    ),
    "recall_time_weight": Setting(
        0.25, float, "what recall() adds to memories that tell a time, where the question asks when"
    ),
    "recall_date_weight": Setting(
        0.25, float, "weight of being near to a date that the question names"
    ),
    "recall_answer_weight": Setting(
        0.1, float, "weight of what the question said just before a memory scores"
    ),
    "recall_opening_weight": Setting(
        0.05, float, "what recall() adds to the first memory of a session"
    ),
    "recall_decay_weight": Setting(
        0.005, float, "weight of the decayed importance d, as d / (1 + d)"
    ),
    "recall_activation_weight": Setting(
        0.005, float, "weight of the activation (ACT-R), as its logistic"
    ),
    "recall_retention_weight": Setting(0.005, float, "weight of the retention (FSRS)"),
    "recall_recency_weight": Setting(
        0.0, float, "weight of being new: halved with each 30 days; harms questions about history"
    ),
    "recall_graph_weight": Setting(
        0.0,
        float,
        "what recall() adds, at most, to what a link or the graph ties to the best memories",
    ),
    "recall_learning": Setting(
        "on",
        ("on", "off"),
        "whether the weights of recall() are learnt from recall_feedback, and what was learnt used",
    ),
    "remember_duplicates": Setting(
        "strengthen",
        ("strengthen", "near", "keep"),
        "what remember() does with what is known: 'strengthen' what says the same but for case and "
        "punctuation; 'near' also what nearly does; 'keep' each as a memory of its own",
    ),
    "remember_guard": Setting(
        "note",
        ("note", "refuse", "off"),
        "what remember() does with a text that looks like a secret or an injected instruction: "
        "'note' keeps it and notes it in memory_guards, 'refuse' is an error",
    ),
    "recall_loop_minutes": Setting(
        10.0,
        float,
        "how long remember() knows what recall() returned, and does not keep it again; 0 is off",
    ),
    "working_memory_limit": Setting(
        50,
        int,
        "how many working memories a session keeps; the least active beyond are promoted or "
        "archived by the policies of 'session_end'; 0 is no limit",
    ),
    "maintenance": Setting(
        False, bool, "whether CALL sync() applies the policies in memory_policies to every agent"
    ),
    "portal": Setting(
        "auto",
        ("auto", "on", "off"),
        "whether agent.db.d/portal.duckdb, for DuckDB clients, is kept: 'auto' from the first CALL "
        "sync() on, for a file of up to 512 MB; 'on' at once, for any; by CALL sync(), and by a "
        "process of its own now and then while the file is open",
    ),
    "portal_interval_ms": Setting(
        10_000, int, "how often the portal is looked after while the file is open, in ms; 0: never"
    ),
    "search_alpha": Setting(0.5, float, "weight of meaning in search(), 0 words alone .. 1"),
    "search_context_weight": Setting(
        0.2, float, "weight of the words of the chunks around a chunk in search(), beside its own"
    ),
    "search_coverage_weight": Setting(
        0.1, float, "weight of how many of the question's words a chunk has, counted by rarity"
    ),
    "search_exact_weight": Setting(
        0.5, float, "weight of a word in the very form that the question has, beside its stem's"
    ),
    "search_window_weight": Setting(
        0.2, float, "weight of how many of the question's words stand together in a chunk"
    ),
    "search_graph_weight": Setting(
        0.0, float, "what search() adds, at most, to what the graph ties to the best chunks"
    ),
    "rerank_model": Setting(
        "cross-encoder/ms-marco-MiniLM-L6-v2",
        str,
        "the cross-encoder of search(rerank => true): a name on the Hugging Face hub, or a folder",
    ),
    "rerank_candidates": Setting(50, int, "how many chunks a reranker reads, at most"),
    "search_document_weight": Setting(
        0.5, float, "weight of the whole document's meaning in search(), for each of its chunks"
    ),
    "search_feedback_weight": Setting(
        0.2,
        float,
        "weight in search() of how near a chunk is to the question and its best documents together",
    ),
    "search_feedback_documents": Setting(
        5, int, "how many of the best documents search() asks with a second time; 0 asks once"
    ),
}


def defaults() -> dict[str, Any]:
    """A fresh set of settings."""
    return {name: setting.default for name, setting in SETTINGS.items()}


# What a statement may turn off, but not set: whoever can send SQL could run programs with it.
CLOSED = {"language_model"}


def shown(value: Any) -> str:
    """A setting's value as SET takes it."""
    if callable(value):
        return "a function"
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


ALIASES = {
    "statement_timeout": "statement_timeout_ms",
    "recall_strength_weight": "recall_retention_weight",  # its name up to 0.2
}
_UNITS_MS = {"": 1, "ms": 1, "s": 1000, "sec": 1000, "second": 1000, "min": 60_000,
             "minute": 60_000, "h": 3_600_000, "hour": 3_600_000, "day": 86_400_000}  # fmt: skip


def _milliseconds(value: Any) -> Any:
    """`'5s'`, `'2 min'`, `'500ms'` and 500 as milliseconds; what is none of these as it is."""
    import re

    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", str(value).lower())
    if found is None or isinstance(value, int | float):
        return value
    unit = found[2] if found[2] in _UNITS_MS else found[2].removesuffix("s")
    return round(float(found[1]) * _UNITS_MS[unit]) if unit in _UNITS_MS else value


def _is_command(value: Any) -> bool:
    """Whether a value is 'command:' and a program with its arguments, quoted as a shell's."""
    import shlex

    try:
        return str(value).startswith("command:") and bool(
            shlex.split(str(value)[len("command:") :])
        )
    except ValueError:
        return False


SHARES = ("min_recall", "search_alpha")


def check(name: str, value: Any) -> tuple[str, Any]:
    """The setting's own name and the value in its type; ProgrammingError where it cannot be."""
    key = ALIASES.get(name.lower(), name.lower())
    if key == "statement_timeout_ms" and value is not None:
        value = _milliseconds(value)
    setting = SETTINGS.get(key)
    if setting is None:
        raise ProgrammingError(
            f'unknown setting "{name}"',
            hint=nearest(key, SETTINGS) or "SELECT * FROM sqlagent_settings lists them",
            sqlstate="42704",
        )
    kind = setting.values
    if value is None:
        return key, setting.default
    if isinstance(kind, tuple):
        text = str(value).lower()
        if text in kind:
            return key, text
        wanted = "one of " + ", ".join(kind)
    elif kind is bool:
        truth = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}
        if str(value).lower() in truth:
            return key, truth[str(value).lower()]
        wanted = "on or off"
    elif key == "language_model":
        if value == "none":
            return key, ""
        if value == "" or callable(value) or _is_command(value):
            return key, value
        wanted = "'', 'command:PROGRAM ARGUMENT ...' or, from Python, a function"
    elif key == "rerank_model":
        if isinstance(value, str) and value:
            return key, value
        wanted = "the name of a cross-encoder, or a folder"
    elif kind is str:  # the embedding model
        if value in ("minilm", "none") or str(value).startswith("sentence-transformers:"):
            return key, value
        wanted = "'minilm', 'none' or 'sentence-transformers:NAME'"
    else:
        try:
            number = kind(value) if not isinstance(value, bool) else None
        except (TypeError, ValueError):
            number = None
        most = 1.0 if key in SHARES else float("inf")
        if number is not None and 0 <= number <= most:
            return key, number
        wanted = "a whole number from 0" if kind is int else "a number from 0"
        wanted += " to 1" if key in SHARES else ""
    raise ProgrammingError(f"{key} is {wanted}, not {value!r}", sqlstate="22023")
