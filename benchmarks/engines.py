"""What numpy, numba and onnxruntime cost for the groove model's products of a 16th.

    python -m benchmarks.engines

in an environment with numpy, numba, onnxruntime and onnx, which the app does not need. Each engine
runs in a process of its own on one thread and prints a row of the table in docs/light.md: processor
time until its first answer, then of a 16th of one take and of 64 (fastest of many), and in how many
of 64 takes any number is another when a take is played alone than beside 63 others.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

SHAPES = ((693, 1024), (512, 1024), (304, 768))  # inputs, outputs: two LSTM layers, all heads
TAKES = 64
Products = Callable[[list[np.ndarray]], list[np.ndarray]]


def numpy_exact(weights: list[np.ndarray]) -> Products:
    """Doubles on a grid, as `dj_core.models.exact_product` has them."""
    kept = [np.rint(weight.astype(np.float64) * 2.0**22) / 2.0**42 for weight in weights]

    def products(rows: list[np.ndarray]) -> list[np.ndarray]:
        return [
            (np.rint(np.multiply(row, 2.0**20, dtype=np.float64)) @ weight).astype(np.float32)
            for row, weight in zip(rows, kept, strict=True)
        ]

    return products


def numpy_floats(weights: list[np.ndarray]) -> Products:
    """32-bit floats, summed in the order that the library chooses."""
    return lambda rows: [row @ weight for row, weight in zip(rows, weights, strict=True)]


def numba_exact(weights: list[np.ndarray]) -> Products:
    """As `numpy_exact`, in loops that numba compiles at the first call; it reads half the bytes."""
    from numba import njit

    kept = [np.rint(weight * 2.0**22) / 2.0**42 for weight in weights]

    @njit  # type: ignore[untyped-decorator]
    def product(rows: np.ndarray, weight: np.ndarray) -> np.ndarray:
        answers = np.zeros((rows.shape[0], weight.shape[1]))
        for row in range(rows.shape[0]):
            for place in range(rows.shape[1]):
                value = np.rint(rows[row, place] * 2.0**20)
                if value != 0:
                    for out in range(weight.shape[1]):
                        answers[row, out] += value * weight[place, out]
        return answers.astype(np.float32)

    return lambda rows: [product(row, weight) for row, weight in zip(rows, kept, strict=True)]


def onnx_floats(weights: list[np.ndarray]) -> Products:
    """One graph of three products in 32-bit floats."""
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [helper.make_node("MatMul", [f"x{i}", f"w{i}"], [f"y{i}"]) for i in range(len(weights))],
        "a 16th",
        [
            helper.make_tensor_value_info(f"x{i}", TensorProto.FLOAT, [None, len(weight)])
            for i, weight in enumerate(weights)
        ],
        [
            helper.make_tensor_value_info(f"y{i}", TensorProto.FLOAT, [None, weight.shape[1]])
            for i, weight in enumerate(weights)
        ],
        [numpy_helper.from_array(weight, f"w{i}") for i, weight in enumerate(weights)],
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return lambda rows: session.run(None, {f"x{i}": row for i, row in enumerate(rows)})


ENGINES = (numpy_exact, numpy_floats, numba_exact, onnx_floats)


def measure(name: str) -> str:
    """A row of the table."""
    chance = np.random.default_rng(1)
    weights = [chance.standard_normal(shape).astype(np.float16) / 8 for shape in SHAPES]
    rows = [chance.uniform(-1, 1, (TAKES, shape[0])).astype(np.float32) for shape in SHAPES]
    begun = time.process_time()
    engine = next(engine for engine in ENGINES if engine.__name__ == name)
    products = engine([weight.astype(np.float32) for weight in weights])
    products([row[:1] for row in rows])
    start = time.process_time() - begun
    together = products(rows)
    others = 0
    for take in range(TAKES):
        alone = products([row[take : take + 1] for row in rows])
        others += any((a[0] != b[take]).any() for a, b in zip(alone, together, strict=True))
    one = min(_milliseconds(lambda: products([row[:1] for row in rows])) for _ in range(300))
    many = min(_milliseconds(lambda: products(rows)) for _ in range(40))
    return f"| {name} | {start:.2f} s | {one:.2f} ms | {many:.1f} ms | {others} of {TAKES} |"


def _milliseconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return 1000 * (time.process_time() - begun)


def main() -> None:
    """Measure all in turn."""
    if len(sys.argv) > 1:
        print(measure(sys.argv[1]))
        return
    print("| engine | start | one take | 64 takes | other numbers alone |\n|---|---|---|---|---|")
    for engine in ENGINES:
        program = [sys.executable, "-m", "benchmarks.engines", engine.__name__]
        environment = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        print(subprocess.check_output(program, text=True, env=environment).strip(), flush=True)


if __name__ == "__main__":
    main()
