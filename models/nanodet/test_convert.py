"""Tests of the converter: `python -m unittest -v test_convert` with the requirements installed.

The whole model is tested when VEDETTE_TEST_NANODET names nanodet.json (nanodet.bin beside it): the source is evaluated
by a second, plain interpreter in its own layout, and must give what the converted model gives.
"""

import base64
import json
import math
import os
import tempfile
import unittest
from pathlib import Path

import numpy as np
from onnx.reference import ReferenceEvaluator

from convert import CHANNELS_LAST, Converter, Value, convert
from tfjs_graph import GraphError, Node, in_evaluation_order, read_graph


def windows(x, kernel, strides):
    """Sliding windows of a channels-last tensor: [batch, rows, columns, channels, kernel rows, kernel columns]."""
    view = np.lib.stride_tricks.sliding_window_view(x, kernel, axis=(1, 2))
    return view[:, :: strides[0], :: strides[1]]


def resize(x, size):
    """Bilinear, half-pixel centres, channels last, one axis after the other."""
    for axis, new in zip((1, 2), size):
        old = x.shape[axis]
        at = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
        low = np.floor(at).astype(int)
        high = np.minimum(low + 1, old - 1)
        part = (at - low).reshape([-1 if a == axis else 1 for a in range(4)])
        x = np.take(x, low, axis) * (1 - part) + np.take(x, high, axis) * part
    return x


def evaluate(nodes, weights, images):
    """What TensorFlow.js would compute, operation by operation, in the source's own layout."""
    values = dict(weights)
    for node in nodes:
        read = [values[name] for name in node.inputs if name in values]
        match node.op:
            case "Const":
                continue
            case "Placeholder":
                result = images
            case "SparseToDense":
                result = np.full(tuple(read[1]), read[3])
            case "Transpose":
                result = read[0].transpose(read[1])
            case "Pad" | "PadV2":
                fill = read[2] if len(read) > 2 else 0.0
                result = np.pad(read[0], read[1], constant_values=fill)
            case "Conv2D":
                view = windows(read[0], read[1].shape[:2], node.ints("strides")[1:3])
                result = np.einsum("brcikl,klio->brco", view, read[1], optimize=True)
            case "MaxPool":
                result = windows(read[0], node.ints("ksize")[1:3], node.ints("strides")[1:3]).max((4, 5))
            case "Add" | "AddV2":
                result = read[0] + read[1]
            case "LeakyRelu":
                result = np.where(read[0] >= 0, read[0], read[0] * node.number("alpha"))
            case "Sigmoid":
                result = 1 / (1 + np.exp(-read[0]))
            case "ConcatV2":
                result = np.concatenate(read[:-1], int(read[-1]))
            case "SplitV":
                parts = np.split(read[0], np.cumsum(read[1])[:-1], int(read[2]))
                for index, part in enumerate(parts):
                    values[node.name + (f":{index}" if index else "")] = part
                continue
            case "ResizeBilinear":
                result = resize(read[0], read[1])
            case "Reshape":
                result = read[0].reshape(read[1])
            case "Identity":
                result = read[0]
            case other:
                raise AssertionError(other)
        values[node.name] = result
    return values


def node(name, op, inputs=(), **attributes):
    return Node(name, op, tuple(inputs), attributes)


class Graph(unittest.TestCase):
    def test_nodes_come_after_what_they_read(self):
        nodes = [node("c", "Add", ["a", "b:1"]), node("b", "SplitV", ["a"]), node("a", "Placeholder")]
        self.assertEqual([one.name for one in in_evaluation_order(nodes, ["c"])], ["a", "b", "c"])

    def test_what_is_missing_or_circular_is_named(self):
        with self.assertRaisesRegex(GraphError, "`b` is read but is no node"):
            in_evaluation_order([node("a", "Identity", ["b"])], ["a"])
        with self.assertRaisesRegex(GraphError, "depends on itself"):
            in_evaluation_order([node("a", "Identity", ["b"]), node("b", "Identity", ["a"])], ["a"])

    def write(self, folder, data, entry):
        document = {
            "format": "graph-model",
            "signature": {"outputs": {"x:0": {}}},
            "modelTopology": {"node": [{"name": "x", "op": "Const"}]},
            "weightsManifest": [{"paths": ["w.bin"], "weights": [entry]}],
        }
        (folder / "w.bin").write_bytes(data)
        (folder / "m.json").write_text(json.dumps(document))
        return folder / "m.json"

    def test_weights_are_widened_and_their_bytes_all_used(self):
        entry = {"name": "x", "dtype": "float32", "shape": [2], "quantization": {"dtype": "float16"}}
        data = np.array([0.5, -2], np.float16).tobytes()
        with tempfile.TemporaryDirectory() as name:
            _, weights, outputs = read_graph(self.write(Path(name), data, entry))
            np.testing.assert_array_equal(weights["x"], np.array([0.5, -2], np.float32))
            self.assertEqual((weights["x"].dtype, outputs), (np.float32, ["x"]))
            for wrong, message in ((data + b"1", "belong to no weight"), (data[:-1], "behind the end")):
                with self.assertRaisesRegex(GraphError, message):
                    read_graph(self.write(Path(name), wrong, entry))


class Translation(unittest.TestCase):
    VALID = {"padding": {"s": base64.b64encode(b"VALID").decode()}}

    def converter(self, nodes=(), **weights):
        converter = Converter(nodes, {name: np.array(value) for name, value in weights.items()})
        converter.values["x"] = Value("x", CHANNELS_LAST, (1, 4, 8, 8))
        return converter

    def test_a_transpose_emits_nothing_and_a_pad_goes_into_the_convolution(self):
        converter = self.converter(p=[[0, 0], [1, 1], [2, 2], [0, 0]], w=np.zeros((3, 5, 4, 6), np.float32))
        strides = {"strides": {"list": {"i": ["1", "2", "2", "1"]}}}
        for step in (node("pad", "Pad", ["x", "p"]), node("conv", "Conv2D", ["pad", "w"], **strides, **self.VALID)):
            converter.translate(step)
        self.assertEqual([one.op_type for one in converter.nodes], ["Conv"])
        attributes = {one.name: list(one.ints) for one in converter.nodes[0].attribute}
        self.assertEqual(attributes["pads"], [1, 2, 1, 2])
        self.assertEqual(converter.values["conv"].size, (1, 6, 4, 4))

    def test_a_bias_is_taken_in_only_when_nobody_else_reads_the_convolution(self):
        strides = {"strides": {"list": {"i": ["1", "1", "1", "1"]}}}
        conv = node("conv", "Conv2D", ["x", "w"], **strides, **self.VALID)
        add = node("add", "Add", ["conv", "b"])
        weights = {"w": np.zeros((1, 1, 4, 2), np.float32), "b": np.ones(2, np.float32)}
        converter = self.converter([conv, add], **weights)
        converter.translate(conv)
        converter.translate(add)
        self.assertEqual(len(converter.nodes[0].input), 3)
        converter = self.converter([conv, add, node("other", "Sigmoid", ["conv"])], **weights)
        converter.translate(conv)
        with self.assertRaisesRegex(GraphError, "no bias"):
            converter.translate(add)

    def test_what_is_not_known_is_refused_by_name(self):
        with self.assertRaisesRegex(GraphError, "`odd` is a Cosine"):
            self.converter().translate(node("odd", "Cosine", ["x"]))
        converter = self.converter(p=[[0, 0], [1, 1], [1, 1], [0, 0]])
        converter.translate(node("pad", "Pad", ["x", "p"]))
        with self.assertRaisesRegex(GraphError, "padding of `pad`"):
            converter.translate(node("odd", "Sigmoid", ["pad"]))


@unittest.skipUnless(os.environ.get("VEDETTE_TEST_NANODET"), "VEDETTE_TEST_NANODET names no model")
class WholeModel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.source = Path(os.environ["VEDETTE_TEST_NANODET"])
        cls.model = convert(cls.source)

    def test_it_is_a_plain_channels_first_network(self):
        operations = {one.op_type for one in self.model.graph.node}
        self.assertNotIn("Pad", operations)
        transposed = [one for one in self.model.graph.node if one.op_type == "Transpose"]
        self.assertEqual(len(transposed), 6)
        self.assertEqual([one.name for one in self.model.graph.input], ["images"])

    def test_the_same_source_gives_the_same_bytes(self):
        again = convert(self.source).SerializeToString(deterministic=True)
        self.assertEqual(self.model.SerializeToString(deterministic=True), again)

    def test_it_computes_what_the_source_computes(self):
        nodes, weights, outputs = read_graph(self.source)
        images = np.random.default_rng(7).normal(0, 1, (1, 3, 416, 416)).astype(np.float32)
        wanted = evaluate(nodes, weights, images)
        found = ReferenceEvaluator(self.model).run(None, {"images": images})
        for source, result in zip(outputs, found):
            self.assertEqual(wanted[source].shape, result.shape)
            np.testing.assert_allclose(result, wanted[source], rtol=1e-3, atol=1e-3)

    def test_batch_height_and_width_are_free(self):
        images = np.random.default_rng(8).normal(0, 1, (2, 3, 64, 96)).astype(np.float32)
        session = ReferenceEvaluator(self.model)
        found = session.run(None, {"images": images})
        cells = [math.prod((64 // stride, 96 // stride)) for stride in (8, 16, 32)]
        self.assertEqual([one.shape[:2] for one in found], [(2, count) for count in cells * 2])
        for index, one in enumerate(found):
            alone = session.run(None, {"images": images[1:]})[index]
            np.testing.assert_allclose(one[1:], alone, rtol=1e-4, atol=1e-4)


if __name__ == "__main__":
    unittest.main()
