"""Reads a TensorFlow.js graph model: its nodes in evaluation order and its weights as numpy arrays."""

import base64
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

# How a weight is stored on disk, by the `dtype` of its entry or of its quantisation.
STORED = {"float32": np.float32, "float16": np.float16, "int32": np.int32}


class GraphError(Exception):
    """The graph model is damaged or uses what this converter does not know."""


@dataclass(frozen=True)
class Node:
    """One operation. `inputs` are value names: `node` for its first output, `node:1` for its second."""

    name: str
    op: str
    inputs: tuple[str, ...]
    attributes: dict = field(repr=False)

    def ints(self, key, default=None):
        """The list of integers under `key`."""
        if key not in self.attributes:
            if default is None:
                raise GraphError(f"{self.op} `{self.name}` has no attribute `{key}`")
            return list(default)
        return [int(item) for item in self.attributes[key]["list"]["i"]]

    def number(self, key):
        """The number under `key`."""
        return float(self.attributes[key]["f"])

    def text(self, key):
        """The text under `key`, which the file holds in base64."""
        return base64.b64decode(self.attributes[key]["s"]).decode()

    def flag(self, key):
        """The truth value under `key`, false when absent."""
        return bool(self.attributes.get(key, {}).get("b", False))


def value_name(reference):
    """The canonical name of a value: without the `:0` of a first output."""
    return reference[:-2] if reference.endswith(":0") else reference


def read_weights(manifest, folder):
    """Every weight by name; half precision is widened to float32."""
    weights = {}
    for group in manifest:
        data = b"".join((folder / Path(path).name).read_bytes() for path in group["paths"])
        offset = 0
        for entry in group["weights"]:
            quantised = entry.get("quantization")
            stored = STORED.get((quantised or entry)["dtype"])
            if stored is None or (quantised and "scale" in quantised):
                raise GraphError(f"weight `{entry['name']}` is stored in a way this converter does not know: {entry}")
            count = int(np.prod(entry["shape"], dtype=np.int64))
            if offset + count * np.dtype(stored).itemsize > len(data):
                raise GraphError(f"weight `{entry['name']}` lies behind the end of {group['paths']}")
            array = np.frombuffer(data, stored, count, offset)
            offset += array.nbytes
            weights[entry["name"]] = array.astype(np.dtype(entry["dtype"])).reshape(entry["shape"])
        if offset != len(data):
            raise GraphError(f"{len(data) - offset} bytes of {group['paths']} belong to no weight")
    return weights


def in_evaluation_order(nodes, outputs):
    """The nodes that `outputs` depend on, each after those it reads. Iterative, as graphs are deep."""
    by_name = {node.name: node for node in nodes}
    order, state = [], {}
    stack = [(name, False) for name in reversed(outputs)]
    while stack:
        name, inputs_done = stack.pop()
        if inputs_done:
            state[name] = "done"
            order.append(by_name[name])
            continue
        if name in state:
            if state[name] == "open":
                raise GraphError(f"`{name}` depends on itself")
            continue
        if name not in by_name:
            raise GraphError(f"`{name}` is read but is no node of the graph")
        state[name] = "open"
        stack.append((name, True))
        for reference in by_name[name].inputs:
            source = reference.split(":")[0]
            if state.get(source) != "done":
                stack.append((source, False))
    return order


def read_graph(path):
    """The nodes in evaluation order, the weights, and the names of the outputs as the signature has them."""
    path = Path(path)
    document = json.loads(path.read_text())
    if document.get("format") != "graph-model":
        raise GraphError(f"{path.name} is no TensorFlow.js graph model but `{document.get('format')}`")
    nodes = [
        Node(
            name=entry["name"],
            op=entry["op"],
            inputs=tuple(value_name(name) for name in entry.get("input", []) if not name.startswith("^")),
            attributes=entry.get("attr", {}),
        )
        for entry in document["modelTopology"]["node"]
    ]
    outputs = sorted(value_name(name) for name in document["signature"]["outputs"])
    weights = read_weights(document["weightsManifest"], path.parent)
    return in_evaluation_order(nodes, outputs), weights, outputs
