"""Executes a blob in numpy, by its specification alone: what the runtime must compute, integer by integer.

usage: oracle.py BLOB INPUT.npy... [--output FOLDER]

Each INPUT holds N samples of one input: integers of its type, or uint8 for an int8 input (minus 128). Where
the model has a state, the samples are the runs of one session, one after the other; otherwise they are
independent. FOLDER/output-I.npy becomes output I of all samples, as `abacus run --output-folder` writes it.
"""

import argparse
import os

import numpy as np

from oracle_blob import Blob, Memory
from oracle_operators import OPERATORS, OUTPUT, Call


def samples(path, tensor):
    """[N, *shape] of one input."""
    array = np.load(path)
    if array.size % tensor.count or array.dtype.kind not in "iu":
        raise ValueError(f"{path}: {array.shape} of {array.dtype} are no samples of {tensor.shape}")
    offset = -128 if array.dtype == np.uint8 and tensor.type == np.int8 else 0
    return array.astype(np.int64).reshape(-1, *tensor.shape) + offset


def run(blob, memory, inputs):
    """One run of all samples in a memory; returns the outputs."""
    for tensor, values in zip(blob.inputs, inputs):
        memory.write(tensor, values)
    position = blob.tensors[blob.position] if blob.position is not None else None
    if position is not None and (memory.read(position) + blob.position_step > blob.position_limit).any():
        raise ValueError(f"the session has reached its limit of {blob.position_limit} tokens")
    for index, operator in enumerate(blob.operators):
        try:
            call = Call(memory, operator)
            memory.write(call.tensor(OUTPUT), OPERATORS[operator.opcode](call))
        except Exception as error:
            error.add_note(f"operator {index}, opcode {operator.opcode}")
            raise
    if position is not None:
        memory.write(position, memory.read(position) + blob.position_step)
    return [memory.read(tensor) for tensor in blob.outputs]


def execute(blob, inputs):
    """Outputs of all samples."""
    count = len(inputs[0])
    if any(len(array) != count for array in inputs) or len(inputs) != len(blob.inputs):
        raise ValueError(f"equally many samples are needed for each of {len(blob.inputs)} inputs")
    if not blob.states:
        return run(blob, Memory(blob, count), inputs)
    session = Memory(blob, 1)
    runs = [run(blob, session, [array[i : i + 1] for array in inputs]) for i in range(count)]
    return [np.concatenate(arrays) for arrays in zip(*runs)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("blob")
    parser.add_argument("inputs", nargs="+", metavar="INPUT.npy")
    parser.add_argument("--output", metavar="FOLDER", help="where the outputs go")
    arguments = parser.parse_args()
    with open(arguments.blob, "rb") as file:
        blob = Blob(file.read())
    if len(arguments.inputs) != len(blob.inputs):
        parser.error(f"the model has {len(blob.inputs)} inputs")
    outputs = execute(blob, [samples(path, tensor) for path, tensor in zip(arguments.inputs, blob.inputs)])
    if arguments.output:
        os.makedirs(arguments.output, exist_ok=True)
    for index, (tensor, values) in enumerate(zip(blob.outputs, outputs)):
        shape = tensor.shape[1:] if tensor.shape[:1] == (1,) else tensor.shape
        values = values.reshape(-1, *shape).astype(tensor.type)
        print(f"output {index}: {tensor.name} {values.dtype} {values.shape}, {values.min()} to {values.max()}")
        if arguments.output:
            np.save(os.path.join(arguments.output, f"output-{index}.npy"), values)


if __name__ == "__main__":
    main()
