"""Times another runtime on one model and one thread, for tools/bench.

usage: bench_peers.py litert|onnxruntime MODEL

Says "ready" when the model is loaded, or in one line why not. Then, for each line of standard input, a
number of runs: how long each took, in microseconds, in one line.
"""

import sys
import time

import numpy as np


def noise(shape, dtype):
    """Seeded codes over the whole range, or normal reals; open dimensions are 1."""
    shape = [d if isinstance(d, int) and d > 0 else 1 for d in shape]
    random = np.random.default_rng(1)
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return random.standard_normal(shape).astype(dtype)
    limits = np.iinfo(dtype)
    return random.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)


def litert(path):
    """LiteRT with XNNPACK, its default; the call below is what Interpreter.invoke makes after a check."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=path, num_threads=1)
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], noise(detail["shape"].tolist(), detail["dtype"]))
    return interpreter, interpreter._interpreter.Invoke


def onnxruntime(path):
    """onnxruntime on the CPU, with inputs and outputs bound beforehand."""
    import onnxruntime as runtime

    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    types = {"tensor(float)": "float32", "tensor(int8)": "int8", "tensor(uint8)": "uint8", "tensor(int64)": "int64"}
    binding = session.io_binding()
    for value in session.get_inputs():
        binding.bind_cpu_input(value.name, noise(value.shape, types[value.type]))
    for value in session.get_outputs():
        binding.bind_output(value.name)
    return session, lambda: session.run_with_iobinding(binding)


def main():
    kind, path = sys.argv[1:]
    try:
        owner, run = {"litert": litert, "onnxruntime": onnxruntime}[kind](path)
    except Exception as error:
        print(" ".join(str(error).split()) or type(error).__name__, flush=True)
        sys.exit(1)
    print("ready", flush=True)
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            start = time.perf_counter_ns()
            run()
            times.append(time.perf_counter_ns() - start)
        print(*(f"{t / 1000:.3f}" for t in times), flush=True)


if __name__ == "__main__":
    main()
