"""Kernels on a GPU against PyTorch on the same card: times by events, warm, median; fraction of memory bandwidth.

python -m benchmarks.gpu        (CuPy, PyTorch and a CUDA device)
"""

import numpy

from thinc import compat
from thinc.api import CupyOps
from thinc.backends._updates import Step

ROWS, WIDTH = 1 << 16, 256  # 64 MB of float32


def median_ms(function, rounds=50):
    """The median time of a call on the GPU, by events around it."""
    import cupy

    for _ in range(5):
        function()
    times = []
    for _ in range(rounds):
        start, end = cupy.cuda.Event(), cupy.cuda.Event()
        start.record()
        function()
        end.record()
        end.synchronize()
        times.append(cupy.cuda.get_elapsed_time(start, end))
    return float(numpy.median(times))


def copy_bandwidth(x):
    """Bytes a millisecond of a plain copy: the limit."""
    y = x.copy()

    def copy():
        y[...] = x

    return 2 * x.nbytes / median_ms(copy)


def cases(ops, torch):
    """(name, our call, torch's call or None, bytes moved)"""
    xp = ops.xp
    X = xp.random.normal(size=(ROWS, WIDTH)).astype("f")
    dY = xp.random.normal(size=(ROWS, WIDTH)).astype("f")
    G, b = X[0].copy(), X[1].copy()
    pieces = xp.random.normal(size=(ROWS, WIDTH // 2, 2)).astype("f")
    lengths = xp.full(ROWS // 16, 16, dtype="int32")
    t, tg, tb = (torch.as_tensor(a, device="cuda") for a in (X, G, b))
    tp = torch.as_tensor(pieces, device="cuda")
    size = X.nbytes
    functional = torch.nn.functional
    yield "mish", lambda: ops.mish(X), lambda: functional.mish(t), 2 * size
    yield "gelu", lambda: ops.gelu(X), lambda: functional.gelu(t), 2 * size
    yield "backprop_mish", lambda: ops.backprop_mish(dY, X), None, 3 * size
    yield "maxout", lambda: ops.maxout(pieces), lambda: tp.max(-1), size + size
    yield ("reduce_sum", lambda: ops.reduce_sum(X, lengths), lambda: t.view(-1, 16, WIDTH).sum(1), size + size // 16)
    yield ("layer_norm", lambda: ops.layer_norm(X, G, b), lambda: functional.layer_norm(t, (WIDTH,), tg, tb), 2 * size)
    yield "softmax", lambda: ops.softmax(X), lambda: t.softmax(-1), 2 * size
    w, g, m, v, ema = (X.ravel().copy() for _ in range(5))
    step = Step(1, 1.0, 0.0, 1e-3, 0.9, 0.999, 1e-8, 1e-5, 0.1)
    p = torch.nn.Parameter(t.clone().view(-1))
    p.grad = torch.as_tensor(dY, device="cuda").view(-1)
    adam = torch.optim.Adam([p], fused=True)
    yield ("optimizer_step", lambda: ops.optimizer_step(w, g, m, v, ema, step), adam.step, 11 * size)


def main():
    if not compat.has_cupy_gpu or not compat.has_torch_cuda_gpu:
        raise SystemExit("benchmarks.gpu needs CuPy, PyTorch and a CUDA device")
    import torch

    ops = CupyOps()
    name = torch.cuda.get_device_name()
    limit = copy_bandwidth(ops.xp.zeros((ROWS, WIDTH), dtype="f"))
    print(f"{name}: copy {limit / 1e6:.0f} GB/s\n{'':<16}{'ms':>8}{'torch':>8}{'ratio':>7}{'of the limit':>14}")
    for name, ours, theirs, moved in cases(ops, torch):
        mine = median_ms(ours)
        other = median_ms(theirs) if theirs else float("nan")
        print(f"{name:<16}{mine:8.3f}{other:8.3f}{other / mine:7.2f}{100 * moved / mine / limit:13.0f}%")


if __name__ == "__main__":
    main()
