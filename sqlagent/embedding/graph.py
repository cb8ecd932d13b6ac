"""The ONNX graph of a BERT sentence encoder, in float32 or with int8 weights.

Needs the package onnx. Only the builder imports this module, so numpy and onnx come in at once.

A product with int8 weights scales each row of its input by the row's own peak. The usual dynamic
quantization takes one scale for the whole batch instead: then a text's vector depends on the texts
it is embedded with (cosines down to 0.97, measured), and an outlier costs every row its precision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = npt.NDArray[np.float32]

OPSET = 17  # the first with LayerNormalization; every onnxruntime since 1.12 runs it
LAYER_NORM_EPSILON = 1e-12
# 7 of 8 bits: two products of 8 bits overflow the 16-bit sums of processors without VNNI.
WEIGHT_MAX = 63
ACTIVATION_MAX = 127
ROW_MAX = 127  # of a word's embedding, which is only looked up


def bert_graph(
    weights: Mapping[str, Array], *, heads: int, tokens_max: int, int8: bool = True
) -> onnx.ModelProto:
    """`input_ids`, `attention_mask` (int64, [n, t]) → `embedding` (float32, [n, d], unit rows).

    `weights` are named as in Hugging Face's BertModel. Token types are all 0. The embedding is the
    mean over the tokens of the last layer, normalised.
    """
    return _Bert(weights, heads, tokens_max, int8).build()


class _Bert:
    def __init__(
        self, weights: Mapping[str, Array], heads: int, tokens_max: int, int8: bool
    ) -> None:
        self.weights = weights
        self.heads = heads
        self.tokens_max = tokens_max
        self.int8 = int8
        self.width = weights["embeddings.LayerNorm.weight"].shape[0]
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def build(self) -> onnx.ModelProto:
        x = self.embeddings()
        mask = self.op("Cast", "attention_mask", to=TensorProto.FLOAT)
        ignored = self.op("Sub", self.floats("one", 1.0), mask)
        bias = self.op("Mul", ignored, self.floats("minus_infinity", -1e9))
        bias = self.op("Unsqueeze", bias, self.integers("axes_1_2", [1, 2]))
        layer = 0
        while f"encoder.layer.{layer}.output.dense.weight" in self.weights:
            x = self.layer(x, bias, f"encoder.layer.{layer}.")
            layer += 1
        self.pool(x, mask)
        shape: Sequence[str] = ["n", "t"]
        inputs = [
            helper.make_tensor_value_info(name, TensorProto.INT64, shape)
            for name in ("input_ids", "attention_mask")
        ]
        output = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", self.width])
        graph = helper.make_graph(
            self.nodes, "bert", inputs, [output], list(self.constants.values())
        )
        opset = helper.make_opsetid("", OPSET)
        return helper.make_model(
            graph, opset_imports=[opset], ir_version=8, producer_name="sqlagent"
        )

    def embeddings(self) -> str:
        words = self.weights["embeddings.word_embeddings.weight"]
        if self.int8:
            scales = _scales(words, axis=1, top=ROW_MAX)
            table = self.constant("words", _rounded(words, scales, ROW_MAX))
            rows = self.op("Cast", self.op("Gather", table, "input_ids"), to=TensorProto.FLOAT)
            scale = self.op("Gather", self.constant("words.scale", scales), "input_ids")
            x = self.op("Mul", rows, scale)
        else:
            x = self.op("Gather", self.constant("words", words), "input_ids")
        # Every token is of type 0, so that its vector can be a part of the position's.
        positions = self.weights["embeddings.position_embeddings.weight"][: self.tokens_max]
        positions = positions + self.weights["embeddings.token_type_embeddings.weight"][0]
        zero = self.integers("zero", [0])
        length = self.op("Shape", "input_ids", start=1, end=2)
        first = self.op("Slice", self.constant("positions", positions), zero, length, zero)
        return self.norm(self.op("Add", x, first), "embeddings.LayerNorm")

    def layer(self, x: str, bias: str, prefix: str) -> str:
        attended = self.linear(self.attention(x, bias, prefix), prefix + "attention.output.dense")
        x = self.norm(self.op("Add", x, attended), prefix + "attention.output.LayerNorm")
        inner = self.gelu(self.linear(x, prefix + "intermediate.dense"))
        outer = self.linear(inner, prefix + "output.dense")
        return self.norm(self.op("Add", x, outer), prefix + "output.LayerNorm")

    def attention(self, x: str, bias: str, prefix: str) -> str:
        size = self.width // self.heads
        names = [f"{prefix}attention.self.{part}" for part in ("query", "key", "value")]
        kernels = [self.weights[f"{name}.weight"].T for name in names]
        biases = [self.weights[f"{name}.bias"] for name in names]
        kernels[0] = kernels[0] / np.sqrt(np.float32(size))
        biases[0] = biases[0] / np.sqrt(np.float32(size))
        joined = self.product(x, f"{prefix}qkv", np.concatenate(kernels, 1), np.concatenate(biases))
        parts = [f"{prefix}{part}" for part in ("query", "key", "value")]
        sizes = self.integers("sizes", [self.width] * 3)
        self.nodes.append(helper.make_node("Split", [joined, sizes], parts, axis=-1))
        split = self.integers("split_heads", [0, 0, self.heads, size])
        query, key, value = (self.op("Reshape", part, split) for part in parts)
        query = self.op("Transpose", query, perm=[0, 2, 1, 3])
        key = self.op("Transpose", key, perm=[0, 2, 3, 1])
        value = self.op("Transpose", value, perm=[0, 2, 1, 3])
        scores = self.op("Add", self.op("MatMul", query, key), bias)
        context = self.op("MatMul", self.op("Softmax", scores, axis=-1), value)
        context = self.op("Transpose", context, perm=[0, 2, 1, 3])
        return self.op("Reshape", context, self.integers("join_heads", [0, 0, self.width]))

    def linear(self, x: str, name: str) -> str:
        return self.product(x, name, self.weights[f"{name}.weight"].T, self.weights[f"{name}.bias"])

    def product(self, x: str, name: str, kernel: Array, bias: Array) -> str:
        """x · kernel + bias, with `kernel` of shape (in, out)."""
        if not self.int8:
            y = self.op("MatMul", x, self.constant(name, kernel))
            return self.op("Add", y, self.constant(f"{name}.bias", bias))
        peak = self.op("ReduceMax", self.op("Abs", x), axes=[-1], keepdims=1)
        step = self.floats("activation_step", 1 / ACTIVATION_MAX)
        middle = self.constant("activation_zero", np.array(128, np.uint8))
        rounded = self.op("QuantizeLinear", self.op("Div", x, peak), step, middle)
        scales = _scales(kernel, axis=0, top=WEIGHT_MAX)
        weights = self.constant(name, _rounded(kernel, scales, WEIGHT_MAX))
        sums = self.op("MatMulInteger", rounded, weights, middle)
        sums = self.op("Cast", sums, to=TensorProto.FLOAT)
        scale = self.constant(f"{name}.scale", scales[0] / np.float32(ACTIVATION_MAX))
        y = self.op("Mul", self.op("Mul", sums, scale), peak)
        return self.op("Add", y, self.constant(f"{name}.bias", bias))

    def norm(self, x: str, name: str) -> str:
        scale = self.constant(f"{name}.weight", self.weights[f"{name}.weight"])
        bias = self.constant(f"{name}.bias", self.weights[f"{name}.bias"])
        return self.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=LAYER_NORM_EPSILON)

    def gelu(self, x: str) -> str:
        """The exact one: x/2 · (1 + erf(x/√2)), in the order that onnxruntime fuses."""
        error = self.op("Erf", self.op("Div", x, self.floats("root_two", float(np.sqrt(2)))))
        shifted = self.op("Add", error, self.floats("one", 1.0))
        return self.op("Mul", self.op("Mul", x, shifted), self.floats("half", 0.5))

    def pool(self, x: str, mask: str) -> None:
        """The sum over tokens, of unit length: the mean only differs by a factor."""
        column = self.op("Unsqueeze", mask, self.integers("axis_2", [2]))
        total = self.op(
            "ReduceSum", self.op("Mul", x, column), self.integers("axis_1", [1]), keepdims=0
        )
        length = self.op("ReduceL2", total, axes=[-1], keepdims=1)
        self.nodes.append(helper.make_node("Div", [total, length], ["embedding"]))

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        output = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(self, name: str, array: npt.NDArray[np.generic]) -> str:
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name

    def floats(self, name: str, value: float) -> str:
        return self.constant(name, np.asarray(value, np.float32))

    def integers(self, name: str, values: list[int]) -> str:
        return self.constant(name, np.array(values, np.int64))


def _scales(table: Array, *, axis: int, top: int) -> Array:
    """What to divide each line of `table` by so that its peak is `top`; 1 for a line of zeros."""
    peaks: Array = np.abs(table).max(axis=axis, keepdims=True)
    return np.where(peaks == 0, np.float32(1), peaks / np.float32(top)).astype(np.float32)


def _rounded(table: Array, scales: Array, top: int) -> npt.NDArray[np.int8]:
    rounded: npt.NDArray[np.int8] = np.clip(np.rint(table / scales), -top, top).astype(np.int8)
    return rounded
