"""Converts the NanoDet-g graph model of TensorFlow.js to ONNX.

    python convert.py nanodet.json nanodet-g.onnx

The source was itself made from a channels-first model: a transpose stands before and behind each convolution. Here a
transpose emits nothing: each value remembers how its logical axes lie in the stored, channels-first tensor, and a pad
waits for the convolution or pooling that takes it in. What is left is a plain channels-first network.

Batch, height and width of the result are free; height and width must be multiples of 32. The same input gives the
same bytes.
"""

import argparse
import math
import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tfjs_graph import GraphError, read_graph

OPSET = 17
IR_VERSION = 8
CHANNELS_FIRST = (0, 1, 2, 3)
CHANNELS_LAST = (0, 2, 3, 1)
NO_PAD = ((0, 0), (0, 0), (0, 0), (0, 0))
STRIDES = (8, 16, 32)
CLASSES = 80
# Four sides, each a distribution over eleven distances.
REGRESSION = 44
# The source's outputs in the order of its signature (`Identity`, `Identity_1`, ...), checked by their shapes.
OUTPUTS = [("cls", stride) for stride in STRIDES] + [("reg", stride) for stride in STRIDES]


@dataclass(frozen=True)
class Value:
    """A tensor of the new graph as the source sees it.

    Logical axis i of the source is stored axis `axes[i]`. `size` holds the stored sizes at the source's own input
    size. `pad` is padding along the stored axes that has not happened yet.
    """

    name: str
    axes: tuple
    size: tuple
    pad: tuple = NO_PAD
    pad_value: float = 0.0

    @property
    def padded_size(self):
        return tuple(size + before + after for size, (before, after) in zip(self.size, self.pad))


class Converter:
    """Translates node by node; `values` are tensors, `constants` what is known while converting."""

    def __init__(self, nodes, weights):
        self.constants = dict(weights)
        self.readers = Counter(name for node in nodes for name in node.inputs)
        self.values = {}
        self.nodes = []
        self.initializers = []
        self.biasable = {}
        self.input = None

    # What the translations share.

    def emit(self, op, inputs, outputs=1, **attributes):
        index = len(self.nodes)
        names = [f"{op.lower()}_{index}" + (f"_{part}" if part else "") for part in range(outputs)]
        node = helper.make_node(op, inputs, names, name=f"{op}_{index}", **attributes)
        self.nodes.append(node)
        return names[0] if outputs == 1 else names

    def initializer(self, array, label):
        name = f"{label}_{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def constant(self, reference):
        if reference not in self.constants:
            raise GraphError(f"`{reference}` must be known while converting")
        return self.constants[reference]

    def value(self, reference):
        if reference not in self.values:
            raise GraphError(f"`{reference}` is read before it is computed")
        return self.values[reference]

    def settled(self, reference):
        """A value with no padding still to happen."""
        value = self.value(reference)
        if value.pad != NO_PAD:
            raise GraphError(f"the padding of `{reference}` is taken in by no convolution and no pooling")
        return value

    def channels_last(self, node):
        value = self.value(node.inputs[0])
        if value.axes != CHANNELS_LAST:
            raise GraphError(f"{node.op} `{node.name}` reads no channels-last tensor over a channels-first one")
        return value

    # One method for each operation of the source.

    def placeholder(self, node):
        shape = [int(axis["size"]) for axis in node.attributes["shape"]["shape"]["dim"]]
        self.input = shape
        self.values[node.name] = Value("images", CHANNELS_FIRST, tuple(shape))

    def const(self, node):
        self.constant(node.name)

    def sparse_to_dense(self, node):
        indices, shape, _, default = (self.constant(name) for name in node.inputs)
        if indices.size:
            raise GraphError(f"SparseToDense `{node.name}` sets entries, which this converter does not know")
        self.constants[node.name] = np.full(tuple(shape), default)

    def transpose(self, node):
        value = self.value(node.inputs[0])
        order = self.constant(node.inputs[1])
        self.values[node.name] = replace(value, axes=tuple(value.axes[axis] for axis in order))

    def pad(self, node):
        value = self.settled(node.inputs[0])
        pad = [(0, 0)] * len(value.axes)
        for axis, (before, after) in zip(value.axes, self.constant(node.inputs[1])):
            pad[axis] = (int(before), int(after))
        fill = float(self.constant(node.inputs[2])) if len(node.inputs) > 2 else 0.0
        self.values[node.name] = replace(value, pad=tuple(pad), pad_value=fill)

    def window(self, node, value, kernel, strides, wanted_fill):
        """Padding of a sliding window as ONNX has it, and the sizes that come out."""
        if node.text("padding") != "VALID" or value.pad[0] != (0, 0) or value.pad[1] != (0, 0):
            raise GraphError(f"{node.op} `{node.name}` pads in a way this converter does not know")
        if value.pad != NO_PAD and value.pad_value != wanted_fill:
            raise GraphError(f"{node.op} `{node.name}` is padded with {value.pad_value} instead of {wanted_fill}")
        (top, bottom), (left, right) = value.pad[2:]
        out = [(size - k) // s + 1 for size, k, s in zip(value.padded_size[2:], kernel, strides)]
        return [top, left, bottom, right], out

    def conv2d(self, node):
        value = self.channels_last(node)
        if node.ints("dilations", [1, 1, 1, 1]) != [1, 1, 1, 1]:
            raise GraphError(f"Conv2D `{node.name}` is dilated, which this converter does not know")
        weight = self.constant(node.inputs[1]).transpose(3, 2, 0, 1)
        strides = node.ints("strides")[1:3]
        pads, out = self.window(node, value, weight.shape[2:], strides, 0.0)
        groups, rest = divmod(value.size[1], weight.shape[1])
        if rest or groups == 0:
            raise GraphError(f"Conv2D `{node.name}` has weights for {weight.shape[1]} of {value.size[1]} channels")
        name = self.emit(
            "Conv",
            [value.name, self.initializer(weight, "weight")],
            kernel_shape=list(weight.shape[2:]),
            strides=strides,
            pads=pads,
            group=groups,
        )
        self.biasable[name] = self.nodes[-1]
        self.values[node.name] = Value(name, CHANNELS_LAST, (value.size[0], weight.shape[0], *out))

    def max_pool(self, node):
        value = self.channels_last(node)
        kernel, strides = node.ints("ksize")[1:3], node.ints("strides")[1:3]
        # ONNX pads a maximum with minus infinity.
        pads, out = self.window(node, value, kernel, strides, -math.inf)
        name = self.emit("MaxPool", [value.name], kernel_shape=kernel, strides=strides, pads=pads)
        self.values[node.name] = Value(name, CHANNELS_LAST, (*value.size[:2], *out))

    def add(self, node):
        if all(name in self.constants for name in node.inputs):
            self.constants[node.name] = self.constant(node.inputs[0]) + self.constant(node.inputs[1])
            return
        left = self.settled(node.inputs[0])
        if node.inputs[1] in self.constants:
            bias = self.constant(node.inputs[1])
            convolution = self.biasable.pop(left.name, None)
            sole_reader = self.readers[node.inputs[0]] == 1
            if not (convolution and sole_reader and bias.shape == (left.size[1],) and left.axes == CHANNELS_LAST):
                raise GraphError(f"{node.op} `{node.name}` adds a constant that is no bias of a convolution")
            convolution.input.append(self.initializer(bias, "bias"))
            self.values[node.name] = left
            return
        right = self.settled(node.inputs[1])
        if (left.axes, left.size) != (right.axes, right.size):
            raise GraphError(f"{node.op} `{node.name}` adds tensors of different shape or layout")
        self.values[node.name] = replace(left, name=self.emit("Add", [left.name, right.name]))

    def leaky_relu(self, node):
        value = self.settled(node.inputs[0])
        name = self.emit("LeakyRelu", [value.name], alpha=node.number("alpha"))
        self.values[node.name] = replace(value, name=name)

    def sigmoid(self, node):
        value = self.settled(node.inputs[0])
        self.values[node.name] = replace(value, name=self.emit("Sigmoid", [value.name]))

    def concat(self, node):
        parts = [self.settled(name) for name in node.inputs[:-1]]
        if len({part.axes for part in parts}) != 1:
            raise GraphError(f"ConcatV2 `{node.name}` joins tensors of different layout")
        axis = parts[0].axes[int(self.constant(node.inputs[-1]))]
        size = list(parts[0].size)
        size[axis] = sum(part.size[axis] for part in parts)
        name = self.emit("Concat", [part.name for part in parts], axis=axis)
        self.values[node.name] = Value(name, parts[0].axes, tuple(size))

    def split(self, node):
        value = self.settled(node.inputs[0])
        parts = [int(part) for part in self.constant(node.inputs[1])]
        axis = value.axes[int(self.constant(node.inputs[2]))]
        sizes = self.initializer(np.array(parts, np.int64), "split")
        names = self.emit("Split", [value.name, sizes], outputs=len(parts), axis=axis)
        for index, (name, part) in enumerate(zip(names, parts)):
            size = tuple(part if at == axis else old for at, old in enumerate(value.size))
            self.values[node.name + (f":{index}" if index else "")] = Value(name, value.axes, size)

    def resize_bilinear(self, node):
        value = self.channels_last(node)
        if node.flag("align_corners") or not node.flag("half_pixel_centers") or value.pad != NO_PAD:
            raise GraphError(f"ResizeBilinear `{node.name}` samples in a way this converter does not know")
        size = [int(side) for side in self.constant(node.inputs[1])]
        # A ratio instead of a size keeps height and width of the input free.
        scales = [1.0, 1.0, *(new / old for new, old in zip(size, value.size[2:]))]
        name = self.emit(
            "Resize",
            [value.name, "", self.initializer(np.array(scales, np.float32), "scales")],
            mode="linear",
            coordinate_transformation_mode="half_pixel",
        )
        self.values[node.name] = Value(name, CHANNELS_LAST, (*value.size[:2], *size))

    def reshape(self, node):
        value = self.settled(node.inputs[0])
        shape = [int(side) for side in self.constant(node.inputs[1])]
        if value.axes != CHANNELS_FIRST or shape not in ([1, value.size[1], -1], [0, value.size[1], -1]):
            raise GraphError(f"Reshape `{node.name}` does more than lining up the cells of a grid: {shape}")
        # 0 keeps the batch as it is.
        target = self.initializer(np.array([0, value.size[1], -1], np.int64), "shape")
        name = self.emit("Reshape", [value.name, target])
        self.values[node.name] = Value(name, (0, 1, 2), (1, value.size[1], value.size[2] * value.size[3]), NO_PAD[:3])

    def identity(self, node):
        self.values[node.name] = self.value(node.inputs[0])

    TRANSLATIONS = {
        "Placeholder": placeholder,
        "Const": const,
        "SparseToDense": sparse_to_dense,
        "Transpose": transpose,
        "Pad": pad,
        "PadV2": pad,
        "Conv2D": conv2d,
        "MaxPool": max_pool,
        "Add": add,
        "AddV2": add,
        "LeakyRelu": leaky_relu,
        "Sigmoid": sigmoid,
        "ConcatV2": concat,
        "SplitV": split,
        "ResizeBilinear": resize_bilinear,
        "Reshape": reshape,
        "Identity": identity,
    }

    def translate(self, node):
        """Adds what `node` computes."""
        translation = self.TRANSLATIONS.get(node.op)
        if translation is None:
            raise GraphError(f"`{node.name}` is a {node.op}, which this converter does not know")
        translation(self, node)

    def model(self, outputs):
        """The finished model; `outputs` pairs a name of the source with a name, a stride and a number of channels."""
        described = []
        for source, name, stride, channels in outputs:
            value = self.values[source]
            cells = math.prod(side // stride for side in self.input[2:])
            logical = tuple(value.size[axis] for axis in value.axes)
            if logical != (1, cells, channels):
                raise GraphError(f"output `{source}` has shape {logical} instead of {(1, cells, channels)}")
            self.nodes.append(
                helper.make_node("Transpose", [value.name], [name], name=f"Transpose_{name}", perm=list(value.axes))
            )
            described.append(
                helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", f"cells_{stride}", channels])
            )
        images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, "height", "width"])
        graph = helper.make_graph(self.nodes, "nanodet-g", [images], described, self.initializers)
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="vedette")
        onnx.checker.check_model(model, full_check=True)
        return model


def convert(source):
    """The ONNX model of the graph model in file `source`."""
    nodes, weights, outputs = read_graph(source)
    if len(outputs) != len(OUTPUTS):
        raise GraphError(f"the source has {len(outputs)} outputs instead of {len(OUTPUTS)}")
    converter = Converter(nodes, weights)
    for node in nodes:
        converter.translate(node)
    channels = {"cls": CLASSES, "reg": REGRESSION}
    return converter.model(
        [(name, f"{kind}_{stride}", stride, channels[kind]) for name, (kind, stride) in zip(outputs, OUTPUTS)]
    )


def main(arguments):
    parser = argparse.ArgumentParser(description="Converts NanoDet-g from TensorFlow.js to ONNX.")
    parser.add_argument("source", type=Path, help="nanodet.json; nanodet.bin lies beside it")
    parser.add_argument("target", type=Path, help="where the ONNX file goes")
    options = parser.parse_args(arguments)
    try:
        model = convert(options.source)
    except (GraphError, KeyError, OSError, ValueError) as error:
        print(f"convert.py: {options.source}: {error}", file=sys.stderr)
        return 1
    options.target.write_bytes(model.SerializeToString(deterministic=True))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
