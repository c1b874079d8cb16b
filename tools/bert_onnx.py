"""Writes a BERT encoder as float ONNX, quantises it with onnxruntime and measures each form.

usage: bert_onnx.py MODEL SAMPLES OUTPUT (see tools/bert-onnx)
"""

import json
import logging
import math
import os
import sys
import time

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)

OPSET = 20
# What is added to the scores of keys that nobody may see.
HIDING = -1e9
RUNS = 100
# The largest difference to numpy that float32 explains.
TOLERANCE = 1e-4


def read_weights(path):
    """All tensors of a .safetensors file, float32, by name."""
    with open(path, "rb") as file:
        data = file.read()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    weights = {}
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        weights[name] = np.frombuffer(data[begin:end], "<f4").reshape(entry["shape"])
    return weights


class Encoder:
    """The weights of an encoder, and the modules that read them."""

    def __init__(self, folder):
        with open(os.path.join(folder, "config.json")) as file:
            configuration = json.load(file)
        assert configuration["model_type"] == "bert" and configuration["hidden_act"] == "gelu"
        self.weights = read_weights(os.path.join(folder, "model.safetensors"))
        self.layers = configuration["num_hidden_layers"]
        self.heads = configuration["num_attention_heads"]
        self.width = configuration["hidden_size"]
        self.epsilon = configuration["layer_norm_eps"]

    def __getitem__(self, name):
        return self.weights[name]


def evaluate(encoder, ids, mask):
    """The last hidden state [tokens, width] of one sentence, from the weights alone."""

    def normalized(x, module):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x * x).mean(-1, keepdims=True) + encoder.epsilon)
        return x * encoder[f"{module}.weight"] + encoder[f"{module}.bias"]

    def linear(x, module):
        return x @ encoder[f"{module}.weight"].T + encoder[f"{module}.bias"]

    def heads(x):
        return x.reshape(len(x), encoder.heads, -1).transpose(1, 0, 2)

    erf = np.vectorize(math.erf, otypes=[np.float64])
    table = "embeddings.{}_embeddings.weight"
    x = encoder[table.format("word")][ids] + encoder[table.format("token_type")][0]
    x = normalized(x + encoder[table.format("position")][: len(ids)], "embeddings.LayerNorm")
    for layer in (f"encoder.layer.{index}." for index in range(encoder.layers)):
        q, k, v = (heads(linear(x, f"{layer}attention.self.{part}")) for part in ("query", "key", "value"))
        scores = q @ k.transpose(0, 2, 1) / math.sqrt(q.shape[-1]) + np.where(mask, 0, HIDING)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (scores / scores.sum(-1, keepdims=True) @ v).transpose(1, 0, 2).reshape(x.shape)
        x = normalized(x + linear(mixed, f"{layer}attention.output.dense"), f"{layer}attention.output.LayerNorm")
        hidden = linear(x, f"{layer}intermediate.dense")
        hidden = hidden / 2 * (1 + erf(hidden / math.sqrt(2)))
        x = normalized(x + linear(hidden, f"{layer}output.dense"), f"{layer}output.LayerNorm")
    return x


class Writer:
    """An ONNX graph as exporters write it, node by node."""

    def __init__(self, encoder, uses_where):
        self.encoder = encoder
        self.uses_where = uses_where
        self.nodes = []
        self.constants = {}

    def constant(self, name, value):
        self.constants[name] = numpy_helper.from_array(value, name)
        return name

    def node(self, operator, inputs, name, **attributes):
        self.nodes.append(helper.make_node(operator, inputs, [name], name, **attributes))
        return name

    def linear(self, x, module):
        weights = self.constant(f"{module}.weight", self.encoder[f"{module}.weight"].T)
        bias = self.constant(f"{module}.bias", self.encoder[f"{module}.bias"])
        return self.node("Add", [self.node("MatMul", [x, weights], f"{module}/MatMul"), bias], module)

    def normalization(self, x, module):
        names = [self.constant(f"{module}.{part}", self.encoder[f"{module}.{part}"]) for part in ("weight", "bias")]
        return self.node("LayerNormalization", [x, *names], module, epsilon=self.encoder.epsilon)

    def embeddings(self):
        words, types, positions = (
            self.constant(f"embeddings.{part}_embeddings.weight", self.encoder[f"embeddings.{part}_embeddings.weight"])
            for part in ("word", "token_type", "position")
        )
        zero, one, first = (self.constant(n, np.array(v, np.int64)) for n, v in (("0", 0), ("1", 1), ("[0]", [0])))
        shape = self.node("Shape", ["input_ids"], "tokens/Shape")
        count = self.node("Unsqueeze", [self.node("Gather", [shape, one], "tokens"), first], "[tokens]")
        x = self.node("Gather", [words, "input_ids"], "words")
        x = self.node("Add", [x, self.node("Gather", [types, zero], "type")], "words+type")
        x = self.node("Add", [x, self.node("Slice", [positions, first, count], "positions")], "embeddings/Add")
        return self.normalization(x, "embeddings.LayerNorm")

    def mask(self):
        """What is added to the scores, [1, 1, 1, tokens]."""
        axes = self.constant("[1, 2]", np.array([1, 2], np.int64))
        flags = self.node("Unsqueeze", ["attention_mask", axes], "mask/Unsqueeze")
        hiding = self.constant("hiding", np.array(HIDING, np.float32))
        if self.uses_where:
            nothing = self.constant("nothing", np.array(0, np.float32))
            condition = self.node("Cast", [flags], "mask/Cast", to=TensorProto.BOOL)
            return self.node("Where", [condition, nothing, hiding], "mask")
        flags = self.node("Cast", [flags], "mask/Cast", to=TensorProto.FLOAT)
        flags = self.node("Sub", [self.constant("1.0", np.array(1, np.float32)), flags], "mask/Sub")
        return self.node("Mul", [flags, hiding], "mask")

    def layer(self, x, mask, name):
        encoder = self.encoder
        depth = encoder.width // encoder.heads
        split = self.constant("split", np.array([0, 0, encoder.heads, depth], np.int64))
        join = self.constant("join", np.array([0, 0, encoder.width], np.int64))
        root = self.constant("root", np.array(math.sqrt(depth), np.float32))

        def heads(part, permutation):
            module = f"{name}attention.self.{part}"
            rows = self.node("Reshape", [self.linear(x, module), split], f"{module}/Reshape")
            return self.node("Transpose", [rows], f"{module}/Transpose", perm=permutation)

        q, k, v = heads("query", [0, 2, 1, 3]), heads("key", [0, 2, 3, 1]), heads("value", [0, 2, 1, 3])
        own = f"{name}attention/"
        scores = self.node("Div", [self.node("MatMul", [q, k], f"{own}scores"), root], f"{own}Div")
        scores = self.node("Softmax", [self.node("Add", [scores, mask], f"{own}Add")], f"{own}Softmax", axis=-1)
        mixed = self.node("MatMul", [scores, v], f"{own}mixed")
        mixed = self.node("Transpose", [mixed], f"{own}Transpose", perm=[0, 2, 1, 3])
        mixed = self.node("Reshape", [mixed, join], f"{own}Reshape")
        x = self.node("Add", [self.linear(mixed, f"{name}attention.output.dense"), x], f"{name}sum1")
        x = self.normalization(x, f"{name}attention.output.LayerNorm")
        hidden = self.node("Gelu", [self.linear(x, f"{name}intermediate.dense")], f"{name}intermediate.gelu")
        x = self.node("Add", [self.linear(hidden, f"{name}output.dense"), x], f"{name}sum2")
        return self.normalization(x, f"{name}output.LayerNorm")

    def model(self):
        x, mask = self.embeddings(), self.mask()
        for index in range(self.encoder.layers):
            x = self.layer(x, mask, f"encoder.layer.{index}.")
        self.node("Identity", [x], "last_hidden_state")

        def value(name, element, *shape):
            return helper.make_tensor_value_info(name, element, [1, "tokens", *shape])

        graph = helper.make_graph(
            self.nodes,
            "bert",
            [value("input_ids", TensorProto.INT64), value("attention_mask", TensorProto.INT64)],
            [value("last_hidden_state", TensorProto.FLOAT, self.encoder.width)],
            list(self.constants.values()),
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = 9
        onnx.checker.check_model(model, full_check=True)
        return model


class Samples(CalibrationDataReader):
    """The arrays of a folder, sentence by sentence."""

    def __init__(self, folder):
        arrays = {n: np.load(os.path.join(folder, n + ".npy")) for n in ("input_ids", "attention_mask")}
        count = len(arrays["input_ids"])
        self.feeds = [{n: a[i : i + 1].astype(np.int64) for n, a in arrays.items()} for i in range(count)]
        self.rest = iter(self.feeds)

    def get_next(self):
        return next(self.rest, None)


def open_session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def measure(session, feeds):
    """The embedding of each sentence, the mean over its tokens, and the median processor time of a run."""
    embeddings = []
    for feed in feeds:
        rows = session.run(None, feed)[0][0]
        flags = feed["attention_mask"][0].astype(np.float32)
        embeddings.append(flags @ rows / flags.sum())
    times = []
    for index in range(RUNS):
        start = time.process_time()
        session.run(None, feeds[index % len(feeds)])
        times.append(time.process_time() - start)
    return np.array(embeddings, np.float32), 1000 * float(np.median(times))


def main():
    model, samples, output = sys.argv[1:]
    logging.getLogger().setLevel(logging.ERROR)
    os.makedirs(output, exist_ok=True)
    paths = {n: os.path.join(output, n + ".onnx") for n in ("float", "float-where", "dynamic", "static")}
    encoder = Encoder(model)
    onnx.save(Writer(encoder, uses_where=False).model(), paths["float"])
    onnx.save(Writer(encoder, uses_where=True).model(), paths["float-where"])

    feeds = Samples(os.path.join(samples, "sentences")).feeds
    exact = evaluate(encoder, feeds[0]["input_ids"][0], feeds[0]["attention_mask"][0])
    for name in ("float", "float-where"):
        difference = np.abs(open_session(paths[name]).run(None, feeds[0])[0][0] - exact).max()
        if difference > TOLERANCE:
            sys.exit(f"{paths[name]} differs by {difference} from what numpy computes")

    quantize_dynamic(paths["float"], paths["dynamic"], weight_type=QuantType.QInt8, per_channel=True)
    # Products only: a scale that reaches to HIDING leaves nothing of the scores.
    quantize_static(
        paths["float"],
        paths["static"],
        Samples(os.path.join(samples, "calibration")),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["MatMul"],
        per_channel=True,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
    )
    results = {"onnxruntime": onnxruntime.__version__}
    for name in ("float", "dynamic", "static"):
        embeddings, milliseconds = measure(open_session(paths[name]), feeds)
        np.save(os.path.join(output, name + ".npy"), embeddings)
        results[name] = {"milliseconds": milliseconds, "bytes": os.path.getsize(paths[name])}
    json.dump(results, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
