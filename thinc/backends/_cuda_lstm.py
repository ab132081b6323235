"""The LSTM on a GPU: matrix products by cuBLAS, the gates of a time step in one kernel.

Same parameters, state and numbers as the readable formula in _lstm.py; see there. The
products with the inputs are done for all steps at once, gates gate by gate (4, O).
"""

from typing import Any, List, Tuple

from ._kernels import cuda
from ._lstm import _before, _check_sizes, _steps, split_weights


def forward(ops: Any, params: Any, c_init: Any, h_init: Any, X: Any, size_at_t: Any) -> Tuple[Any, Tuple]:
    if c_init.shape != h_init.shape:
        raise AssertionError(f"lstm: H0 has shape {c_init.shape}, C0 has {h_init.shape}")
    xp = ops.xp
    depth, n_dirs, nO = c_init.shape
    inputs = xp.ascontiguousarray(X)
    N, nI = inputs.shape
    sizes = _check_sizes(size_at_t, N)
    weights = split_weights(params, depth, n_dirs, nO, nI)
    shape = (depth, n_dirs, N, nO)
    Y, C = xp.zeros(shape, dtype=params.dtype), xp.zeros(shape, dtype=params.dtype)
    G = xp.zeros(shape[:3] + (4 * nO,), dtype=params.dtype)
    name = f"lstm_gates_{ops._suffix(params)}"
    for layer in range(depth):
        for d in range(n_dirs):
            W, state = weights[layer][d], (Y[layer, d], G[layer, d], C[layer, d])
            A = ops.gemm(inputs, W.Wx.reshape((4 * nO, -1)), trans2=True)
            b = (W.bx + W.bh).reshape((-1,))
            Wh = W.Wh.reshape((4 * nO, nO))
            for step in _steps(sizes, d):
                y, g, c = (array[step.rows] for array in state)
                h_prev = _before(state[0], h_init[layer, d], step)
                c_prev = _before(state[2], c_init[layer, d], step)
                a = A[step.rows] + ops.gemm(h_prev, Wh, trans2=True)
                R = step.size
                cuda.launch(name, R * nO, g, c, y, a, b, c_prev, R, nO)
        inputs = xp.concatenate(list(Y[layer]), axis=1)
    return inputs, (Y, G, C, X, c_init, h_init)


def backward(ops: Any, dY: Any, lengths: Any, params: Any, fwd_state: Tuple) -> Tuple[Any, Any]:
    xp = ops.xp
    Y, G, C, X, c_init, h_init = fwd_state
    depth, n_dirs, N, nO = Y.shape
    if dY.shape != (N, n_dirs * nO):
        raise ValueError(f"backprop_lstm: expected dY {(N, n_dirs * nO)}, got {dY.shape}")
    X = xp.ascontiguousarray(X, dtype=params.dtype)
    sizes = _check_sizes(lengths, N)
    weights = split_weights(params, depth, n_dirs, nO, X.shape[1])
    d_params = xp.zeros_like(params)
    d_weights = split_weights(d_params, depth, n_dirs, nO, X.shape[1])
    d_out = dY
    for layer in reversed(range(depth)):
        inputs = xp.concatenate(list(Y[layer - 1]), axis=1) if layer else X
        d_inputs = xp.zeros_like(inputs)
        for d in range(n_dirs):
            W, dW = weights[layer][d], d_weights[layer][d]
            state = (Y[layer, d], G[layer, d], C[layer, d])
            first = (h_init[layer, d], c_init[layer, d])
            d_mine = d_out[:, d * nO : (d + 1) * nO]
            dA, h_before = _gates(ops, d_mine, W, state, first, _steps(sizes, d))
            d_inputs += ops.gemm(dA, W.Wx.reshape((4 * nO, -1)))
            dW.Wx[...] = ops.gemm(dA, inputs, trans1=True).reshape(dW.Wx.shape)
            dW.Wh[...] = ops.gemm(dA, h_before, trans1=True).reshape(dW.Wh.shape)
            dW.bx[...] = dW.bh[...] = ops.sum_rows(dA).reshape(dW.bx.shape)
        d_out = d_inputs
    return d_out, d_params


def _gates(ops: Any, dY: Any, W: Any, state: Tuple, first: Tuple, steps: List[Any]) -> Tuple[Any, Any]:
    """Back through the steps: the gradient of the gates (N, 4 O), and the hidden states
    (N, O) that the steps began with."""
    xp = ops.xp
    Y, G, C = state
    N, nO = Y.shape
    dA = xp.zeros((N, 4 * nO), dtype=Y.dtype)
    h_before = xp.zeros_like(Y)
    B = max((step.size for step in steps), default=0)
    dh, dc = xp.zeros((B, nO), dtype=Y.dtype), xp.zeros((B, nO), dtype=Y.dtype)
    Wh = W.Wh.reshape((4 * nO, nO))
    name = f"backprop_lstm_gates_{ops._suffix(Y)}"
    for step in reversed(steps):
        rows, R = step.rows, step.size
        h_before[rows] = _before(Y, first[0], step)
        c_prev = _before(C, first[1], step)
        dy = xp.ascontiguousarray(dY[rows] + dh[:R])
        arrays = (dA[rows], dc[:R], dy, G[rows], C[rows], c_prev)
        cuda.launch(name, R * nO, *arrays, R, nO)
        dh[:R] = ops.gemm(dA[rows], Wh)
    return dA, h_before
