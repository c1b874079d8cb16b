"""Runs TFLite models through LiteRT and stores inputs and outputs of every operator.

usage: record_litert.py FOLDER MODEL...

FOLDER/<model>.npz has, for operator I, arrays opI_inJ (its J-th input that is not a constant) and
opI_outJ. The input is the first sample of <model>.litert.npz beside the model, or seeded noise.
"""

import os
import sys

import numpy as np
import tflite
from ai_edge_litert.interpreter import Interpreter, OpResolverType


def sample(path, details):
    """The model's first recorded input, or codes spread over the whole range."""
    recorded = path.removesuffix(".tflite") + ".litert.npz"
    if os.path.exists(recorded):
        archive = np.load(recorded)
        return [archive[f"in{i}_0"] for i in range(len(details))]
    noise = np.random.default_rng(1)
    return [noise.integers(-128, 128, d["shape"]).astype(d["dtype"]) for d in details]


def record(path, output):
    with open(path, "rb") as file:
        model = tflite.Model.GetRootAsModel(file.read(), 0)
    graph = model.Subgraphs(0)
    interpreter = Interpreter(
        model_path=path,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    details = interpreter.get_input_details()
    for detail, value in zip(details, sample(path, details)):
        interpreter.set_tensor(detail["index"], value)
    interpreter.invoke()

    arrays = {}
    for index in range(graph.OperatorsLength()):
        operator = graph.Operators(index)
        inputs = [
            i
            for i in operator.InputsAsNumpy()
            if i >= 0 and model.Buffers(graph.Tensors(i).Buffer()).DataLength() == 0
        ]
        for kind, tensors in (("in", inputs), ("out", operator.OutputsAsNumpy())):
            for position, tensor in enumerate(tensors):
                arrays[f"op{index}_{kind}{position}"] = interpreter.get_tensor(tensor)
    temporary = output + ".part.npz"
    np.savez(temporary, **arrays)
    os.replace(temporary, output)


def main():
    folder, models = sys.argv[1], sys.argv[2:]
    os.makedirs(folder, exist_ok=True)
    for path in models:
        name = os.path.basename(path).removesuffix(".tflite")
        output = os.path.join(folder, name + ".npz")
        if not os.path.exists(output):
            record(path, output)


if __name__ == "__main__":
    main()
