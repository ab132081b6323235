# cython: language_level=3, binding=True
"""The LSTM over packed sequences on the CPU: the readable twin, with the drawing of the rows, is in _lstm.py.

N rows, S steps, R rows of one step, I in, O width of one direction, D directions, L layers.

The input products of all rows are one gemm. Then each step is one gemm with the recurrent weights and one pass over the
gates. Over 500 lines: what both passes share is in cdef functions of many arguments. `h` and `c` hold the hidden states and cells of the sequences, those yet to begin at their initial values: in the
second direction, which runs from the last step to the first, sequences join on the way.
"""
cimport numpy as np
from libc.stdint cimport int32_t, uint16_t
from libc.string cimport memcpy, memset

from .memory cimport new_array
from .wrapping cimport (MOST_INT8_INPUTS, SCALE_BYTES, Kernels, WeightKernels, as_int32, contiguous, empty1, empty2,
                        fallback, kernels_for, kernels_of_type, like, number_type, table, typenum)

np.import_array()


cdef extern from "thinc/half.hh" namespace "thinc::host" nogil:
    float half_to_float(unsigned short)
    float number_of(unsigned int)


# The sizes of one pass; pointers below are to bytes, `item` of them a number, and in params `weight` one of a matrix,
# `beside` what else stands in a row of it, and `bias` one of a bias.
cdef struct Sizes:
    size_t item
    size_t weight
    size_t beside
    size_t bias
    size_t n_layers
    size_t n_directions
    size_t N
    size_t I
    size_t O
    size_t n_steps
    const int32_t* steps


# One layer in one direction: Wx (4, O, I), bx (4, O), Wh (4, O, O), bh (4, O).
cdef struct Weights:
    char* Wx
    char* bx
    char* Wh
    char* bh


cdef size_t layer_inputs(const Sizes* s, size_t layer) noexcept nogil:
    return s.I if layer == 0 else s.n_directions * s.O


cdef size_t layer_bytes(const Sizes* s, size_t I) noexcept nogil:
    """Of the params of one direction of a layer with I inputs."""
    return 4 * s.O * ((I + s.O) * s.weight + 2 * (s.beside + s.bias))


cdef Weights weights_of(char* params, const Sizes* s, size_t layer, size_t direction) noexcept nogil:
    cdef Weights W
    cdef size_t I = layer_inputs(s, layer)
    if layer > 0:
        params += s.n_directions * (layer_bytes(s, s.I) + (layer - 1) * layer_bytes(s, I))
    params += direction * layer_bytes(s, I)
    W.Wx = params
    W.bx = W.Wx + 4 * s.O * (I * s.weight + s.beside)
    W.Wh = W.bx + 4 * s.O * s.bias
    W.bh = W.Wh + 4 * s.O * (s.O * s.weight + s.beside)
    return W


cdef void widen_biases(Weights* W, float* space, const Sizes* s) noexcept nogil:
    """Biases of float16, or bytes of float32 that lie anywhere, become float32 in the space (8, O)."""
    cdef size_t n = 4 * s.O
    cdef size_t i
    if s.bias == s.item and not s.beside:
        return
    for i in range(n):
        space[i] = read_bias(W.bx + i * s.bias, s.bias)
        space[n + i] = read_bias(W.bh + i * s.bias, s.bias)
    W.bx = <char*>space
    W.bh = <char*>(space + n)


cdef float read_bias(const char* bias, size_t size) noexcept nogil:
    cdef const unsigned char* byte = <const unsigned char*>bias
    cdef uint16_t half
    if size == sizeof(uint16_t):
        memcpy(&half, bias, size)
        return half_to_float(half)
    return number_of(byte[0] | <unsigned int>byte[1] << 8 | <unsigned int>byte[2] << 16 | <unsigned int>byte[3] << 24)


cdef void repeat(char* target, const char* row, size_t n, size_t size) noexcept nogil:
    cdef size_t i
    for i in range(n):
        memcpy(target + i * size, row, size)


cdef void join_directions(char* joined, const char* Y, const Sizes* s) noexcept nogil:
    """Y (D, N, O) -> joined (N, D * O)."""
    cdef size_t row = s.item * s.O
    cdef size_t n, d
    for n in range(s.N):
        for d in range(s.n_directions):
            memcpy(joined + (n * s.n_directions + d) * row, Y + (d * s.N + n) * row, row)


cdef void run_direction(
    const Kernels* k,
    const WeightKernels* weight_kernels,
    const Sizes* s,
    Weights W,
    size_t I,
    bint backwards,
    char* Y,
    char* G,
    char* C,
    const char* X,
    const char* h_first,
    const char* c_first,
    char* A,
    char* h,
    char* c,
) noexcept nogil:
    """X (N, I) -> Y, C (N, O), G (N, O, 4).  G and C may be NULL, Y may be X.  A (N, 4, O), h and c (R, O): space."""
    cdef size_t O = s.O
    cdef size_t row_size = s.item * O
    cdef size_t row = s.N if backwards else 0
    cdef size_t step, R
    cdef char* cells
    weight_kernels.affine(A, X, W.Wx, W.bx, s.N, I, 4 * O)
    repeat(h, h_first, s.steps[0], row_size)
    repeat(c, c_first, s.steps[0], row_size)
    for step in range(s.n_steps):
        R = s.steps[s.n_steps - 1 - step if backwards else step]
        if backwards:
            row -= R
        cells = C + row * row_size if C else c
        weight_kernels.add_product(A + 4 * row * row_size, h, W.Wh, R, O, 4 * O)
        k.lstm_gates(
            G + 4 * row * row_size if G else NULL,
            cells,
            Y + row * row_size,
            A + 4 * row * row_size,
            W.bh,
            c,
            R,
            O,
        )
        memcpy(h, Y + row * row_size, R * row_size)
        if C:
            memcpy(c, cells, R * row_size)
        if not backwards:
            row += R


cdef void shift(char* before, const char* values, const char* first, const Sizes* s, bint backwards) noexcept nogil:
    """before (N, O): the values (N, O) of the step before, `first` (O,) where a sequence begins."""
    cdef size_t row_size = s.item * s.O
    cdef size_t row = s.N if backwards else 0
    cdef size_t last_row = 0
    cdef size_t last_R = 0
    cdef size_t step, R, known
    for step in range(s.n_steps):
        R = s.steps[s.n_steps - 1 - step if backwards else step]
        if backwards:
            row -= R
        known = R if R < last_R else last_R
        memcpy(before + row * row_size, values + last_row * row_size, known * row_size)
        repeat(before + (row + known) * row_size, first, R - known, row_size)
        last_row = row
        last_R = R
        if not backwards:
            row += R


cdef void backprop_direction(
    const Kernels* k,
    const Sizes* s,
    Weights W,
    Weights dW,
    size_t I,
    size_t direction,
    char* dX,
    const char* dY,
    const char* X,
    const char* G,
    const char* C,
    const char* h_before,
    const char* c_before,
    char* dA,
    char* dh,
    char* dc,
) noexcept nogil:
    """Writes dW; writes dX (N, I) in the first direction and adds to it in the second.

    dY (N, D * O), X (N, I), G (N, O, 4), C, h_before, c_before (N, O).  dA (N, 4, O), dh and dc (R, O): space.
    """
    cdef size_t O = s.O
    cdef size_t N = s.N
    cdef size_t row_size = s.item * O
    cdef bint backwards = direction == 1
    cdef size_t row = 0 if backwards else N
    cdef size_t last_row = 0
    cdef size_t last_R = 0
    cdef size_t step, R, r, known
    memset(dc, 0, s.steps[0] * row_size)
    for step in range(s.n_steps):
        R = s.steps[step if backwards else s.n_steps - 1 - step]
        if not backwards:
            row -= R
        for r in range(R):
            memcpy(dh + r * row_size, dY + ((row + r) * s.n_directions + direction) * row_size, row_size)
        known = R if R < last_R else last_R
        if known > 0:
            k.gemm(0, 0, known, O, 4 * O, 1.0, dA + 4 * last_row * row_size, 4 * O, W.Wh, O, 1.0, dh, O)
        k.backprop_lstm_gates(
            dA + 4 * row * row_size,
            dc,
            dh,
            G + 4 * row * row_size,
            C + row * row_size,
            c_before + row * row_size,
            R,
            O,
        )
        last_row = row
        last_R = R
        if backwards:
            row += R
    k.gemm(1, 0, 4 * O, I, N, 1.0, dA, 4 * O, X, I, 0.0, dW.Wx, I)
    k.gemm(1, 0, 4 * O, O, N, 1.0, dA, 4 * O, h_before, O, 0.0, dW.Wh, O)
    k.sum_rows(dW.bx, dA, N, 4 * O)
    memcpy(dW.bh, dW.bx, 4 * row_size)
    k.gemm(0, 0, N, I, 4 * O, 1.0, dA, 4 * O, W.Wx, I, 1.0 if direction else 0.0, dX, I)


cdef bint set_sizes(Sizes* s, np.ndarray params, np.ndarray first, np.ndarray X, np.ndarray steps) noexcept:
    """Fill in s; False if the arrays do not fit together."""
    cdef size_t expected
    cdef size_t total = 0
    cdef np.npy_intp i
    if steps is None or np.PyArray_NDIM(steps) != 1 or np.PyArray_NDIM(params) != 1:
        return False
    if np.PyArray_NDIM(first) != 3 or np.PyArray_NDIM(X) != 2:
        return False
    s.item = 8 if number_type(params) == np.NPY_FLOAT64 else 4
    s.weight = np.PyArray_ITEMSIZE(params)
    s.beside = SCALE_BYTES if typenum(params) == np.NPY_INT8 else 0
    s.bias = 4 if s.beside else s.weight
    s.n_layers = np.PyArray_DIM(first, 0)
    s.n_directions = np.PyArray_DIM(first, 1)
    s.N = np.PyArray_DIM(X, 0)
    s.I = np.PyArray_DIM(X, 1)
    s.O = np.PyArray_DIM(first, 2)
    s.n_steps = np.PyArray_DIM(steps, 0)
    s.steps = <const int32_t*>np.PyArray_DATA(steps)
    if s.n_layers < 1 or not 1 <= s.n_directions <= 2:
        return False
    if s.beside and (s.I > MOST_INT8_INPUTS or s.n_directions * s.O > MOST_INT8_INPUTS):
        return False
    for i in range(np.PyArray_DIM(steps, 0)):
        if s.steps[i] < 0 or (i > 0 and s.steps[i] > s.steps[i - 1]):
            return False
        total += s.steps[i]
    expected = s.n_directions * (layer_bytes(s, s.I) + (s.n_layers - 1) * layer_bytes(s, s.n_directions * s.O))
    return total == s.N and <size_t>np.PyArray_NBYTES(params) == expected


cdef np.ndarray empty4(np.ndarray like, size_t d0, size_t d1, size_t d2, size_t d3):
    cdef np.npy_intp shape[4]
    shape[0] = d0
    shape[1] = d1
    shape[2] = d2
    shape[3] = d3
    return new_array(4, shape, np.PyArray_TYPE(like))


cdef inline char* data(np.ndarray X) noexcept:
    return <char*>np.PyArray_DATA(X)


cdef tuple read_forward(Sizes* s, object params, object H0, object C0, object X, object size_at_t):
    """The arrays of a forward pass, contiguous and in the dtype of params, or None."""
    cdef np.ndarray steps = as_int32(size_at_t)
    if not (isinstance(H0, np.ndarray) and isinstance(C0, np.ndarray) and isinstance(X, np.ndarray)):
        return None
    if not np.PyArray_SAMESHAPE(<np.ndarray>H0, <np.ndarray>C0):
        return None
    if np.PyArray_ISCOMPLEX(<np.ndarray>H0) or np.PyArray_ISCOMPLEX(<np.ndarray>C0) or np.PyArray_ISCOMPLEX(<np.ndarray>X):
        return None
    if not set_sizes(s, params, H0, X, steps):
        return None
    cdef np.ndarray weights = contiguous(params)
    return weights, like(H0, weights), like(C0, weights), like(X, weights), steps


cdef np.ndarray run_layers(const WeightKernels* w, const Sizes* s, tuple arrays, np.ndarray Ys, np.ndarray Gs,
                           np.ndarray Cs):
    """Y (N, D * O).  Ys, Gs and Cs (L, D, N, ...) keep what backprop needs, or are None."""
    cdef np.ndarray weights, c_first, h_first, inputs, steps
    weights, c_first, h_first, inputs, steps = arrays  # H0 is the first cell, C0 the first state: see _lstm.py
    cdef int numbers = number_type(weights)
    cdef const Kernels* k = &table().f64 if numbers == np.NPY_FLOAT64 else &table().f32
    cdef bint keep = Gs is not None
    cdef size_t R = s.steps[0] if s.n_steps else 0
    cdef np.ndarray Y = empty2(numbers, s.N, s.n_directions * s.O)
    if Ys is None:
        # One direction may write over its own inputs, two need a place of their own until both are done.
        Ys = Y if s.n_directions == 1 else empty2(numbers, s.n_directions * s.N, s.O)
    cdef np.ndarray A = empty2(numbers, s.N, 4 * s.O)
    cdef np.ndarray h = empty2(numbers, R, s.O)
    cdef np.ndarray c = empty2(numbers, R, s.O)
    cdef np.ndarray biases = empty1(numbers, 8 * s.O)
    cdef float* biases_ = <float*>data(biases)
    cdef Weights W
    cdef char* params_ = data(weights)
    cdef char* Y_ = data(Y)
    cdef char* Ys_ = data(Ys)
    cdef char* Gs_ = data(Gs) if keep else NULL
    cdef char* Cs_ = data(Cs) if keep else NULL
    cdef char* A_ = data(A)
    cdef char* h_ = data(h)
    cdef char* c_ = data(c)
    cdef const char* h_first_ = data(h_first)
    cdef const char* c_first_ = data(c_first)
    cdef const char* X_ = data(inputs)
    cdef size_t block = s.item * s.N * s.O
    cdef size_t layer, d, index, kept
    if s.N and s.O:
        with nogil:
            for layer in range(s.n_layers):
                kept = layer * s.n_directions if keep else 0
                for d in range(s.n_directions):
                    index = layer * s.n_directions + d
                    W = weights_of(params_, s, layer, d)
                    widen_biases(&W, biases_, s)
                    run_direction(
                        k,
                        w,
                        s,
                        W,
                        layer_inputs(s, layer),
                        d == 1,
                        Ys_ + (kept + d) * block,
                        Gs_ + 4 * index * block if keep else NULL,
                        Cs_ + index * block if keep else NULL,
                        X_,
                        h_first_ + index * s.item * s.O,
                        c_first_ + index * s.item * s.O,
                        A_,
                        h_,
                        c_,
                    )
                if Ys_ != Y_:
                    join_directions(Y_, Ys_ + kept * block, s)
                X_ = Y_
    return Y


def lstm_forward_training(self, params, H0, C0, X, size_at_t):
    cdef const Kernels* k = kernels_for(params)
    cdef Sizes s
    arrays = None if k is NULL else read_forward(&s, params, H0, C0, X, size_at_t)
    if arrays is None:
        return fallback(self, "lstm_forward_training", (params, H0, C0, X, size_at_t))
    cdef np.ndarray weights = arrays[0]
    cdef np.ndarray Ys = empty4(weights, s.n_layers, s.n_directions, s.N, s.O)
    cdef np.ndarray Gs = empty4(weights, s.n_layers, s.n_directions, s.N, 4 * s.O)
    cdef np.ndarray Cs = empty4(weights, s.n_layers, s.n_directions, s.N, s.O)
    Y = run_layers(<const WeightKernels*>k, &s, arrays, Ys, Gs, Cs)
    return Y, (Ys, Gs, Cs, X, arrays[1], arrays[2])


def lstm_forward_inference(self, params, H0, C0, X, size_at_t):
    cdef const WeightKernels* w = kernels_of_type(typenum(params)) if isinstance(params, np.ndarray) else NULL
    cdef Sizes s
    arrays = None if w is NULL else read_forward(&s, params, H0, C0, X, size_at_t)
    if arrays is None:
        return fallback(self, "lstm_forward_inference", (params, H0, C0, X, size_at_t))
    return run_layers(w, &s, arrays, None, None, None)


cdef bint has_shape(np.ndarray X, np.ndarray params, size_t d0, size_t d1, size_t d2, size_t d3) noexcept:
    """X is (d0, d1, d2, d3), contiguous and of the dtype of params."""
    return (
        np.PyArray_ISCARRAY_RO(X)
        and np.PyArray_TYPE(X) == np.PyArray_TYPE(params)
        and np.PyArray_NDIM(X) == 4
        and <size_t>np.PyArray_DIM(X, 0) == d0
        and <size_t>np.PyArray_DIM(X, 1) == d1
        and <size_t>np.PyArray_DIM(X, 2) == d2
        and <size_t>np.PyArray_DIM(X, 3) == d3
    )


cdef tuple read_backprop(Sizes* s, object dY, object size_at_t, object params, object fwd_state):
    """The arrays of a backward pass, contiguous and in the dtype of params, or None."""
    if kernels_for(params) is NULL or kernels_for(dY) is NULL or len(fwd_state) != 6:
        return None
    for array in fwd_state:
        if kernels_for(array) is NULL:
            return None
    cdef np.ndarray Ys, Gs, Cs, X, c_first, h_first
    Ys, Gs, Cs, X, c_first, h_first = fwd_state
    cdef np.ndarray steps = as_int32(size_at_t)
    if not set_sizes(s, params, c_first, X, steps) or not np.PyArray_SAMESHAPE(c_first, h_first):
        return None
    cdef np.ndarray dY_ = dY
    if np.PyArray_NDIM(dY_) != 2 or <size_t>np.PyArray_DIM(dY_, 0) != s.N:
        return None
    cdef np.ndarray weights = contiguous(params)
    if <size_t>np.PyArray_DIM(dY_, 1) != s.n_directions * s.O or not (
        has_shape(Ys, weights, s.n_layers, s.n_directions, s.N, s.O)
        and has_shape(Gs, weights, s.n_layers, s.n_directions, s.N, 4 * s.O)
        and has_shape(Cs, weights, s.n_layers, s.n_directions, s.N, s.O)
    ):
        return None
    return weights, Ys, Gs, Cs, like(X, weights), like(c_first, weights), like(h_first, weights), like(dY_, weights), steps


def backprop_lstm(self, dY, lengths, params, fwd_state):
    cdef const Kernels* k = kernels_for(params)
    cdef Sizes s
    arrays = read_backprop(&s, dY, lengths, params, fwd_state)
    if arrays is None:
        return fallback(self, "backprop_lstm", (dY, lengths, params, fwd_state))
    cdef np.ndarray weights, Ys, Gs, Cs, X, c_first, h_first, dY_, steps
    weights, Ys, Gs, Cs, X, c_first, h_first, dY_, steps = arrays
    cdef size_t R = s.steps[0] if s.n_steps else 0
    cdef np.ndarray dX = empty2(typenum(weights), s.N, s.I)
    cdef np.ndarray d_params = empty1(typenum(weights), np.PyArray_DIM(weights, 0))
    cdef np.ndarray dA = empty2(typenum(weights), s.N, 4 * s.O)
    # Inputs of the layer, their gradient and that of its outputs; the states and cells of the step before.
    cdef np.ndarray space = empty2(typenum(weights), 3 * s.n_directions + 2, s.N * s.O)
    cdef np.ndarray state = empty2(typenum(weights), 2 * R, s.O)
    cdef size_t block = s.item * s.N * s.O
    cdef char* joined = data(space)
    cdef char* d_inputs = joined + s.n_directions * block
    cdef char* d_outputs = d_inputs + s.n_directions * block
    cdef char* h_before = d_outputs + s.n_directions * block
    cdef char* c_before = h_before + block
    cdef char* dh = data(state)
    cdef char* dc = dh + s.item * R * s.O
    cdef char* params_ = data(weights)
    cdef char* d_params_ = data(d_params)
    cdef char* dX_ = data(dX)
    cdef char* dA_ = data(dA)
    cdef const char* Ys_ = data(Ys)
    cdef const char* Gs_ = data(Gs)
    cdef const char* Cs_ = data(Cs)
    cdef const char* X_ = data(X)
    cdef const char* h_first_ = data(h_first)
    cdef const char* c_first_ = data(c_first)
    cdef const char* d_out = data(dY_)
    cdef char* d_in
    cdef const char* inputs
    cdef size_t below, layer, d, index
    if not s.N or not s.O:
        memset(dX_, 0, np.PyArray_NBYTES(dX))
        memset(d_params_, 0, np.PyArray_NBYTES(d_params))
        return dX, d_params
    with nogil:
        for below in range(s.n_layers):
            layer = s.n_layers - 1 - below
            if layer == 0:
                inputs = X_
                d_in = dX_
            else:
                join_directions(joined, Ys_ + (layer - 1) * s.n_directions * block, &s)
                inputs = joined
                d_in = d_inputs
            for d in range(s.n_directions):
                index = layer * s.n_directions + d
                shift(h_before, Ys_ + index * block, h_first_ + index * s.item * s.O, &s, d == 1)
                shift(c_before, Cs_ + index * block, c_first_ + index * s.item * s.O, &s, d == 1)
                backprop_direction(
                    k,
                    &s,
                    weights_of(params_, &s, layer, d),
                    weights_of(d_params_, &s, layer, d),
                    layer_inputs(&s, layer),
                    d,
                    d_in,
                    d_out,
                    inputs,
                    Gs_ + 4 * index * block,
                    Cs_ + index * block,
                    h_before,
                    c_before,
                    dA_,
                    dh,
                    dc,
                )
            d_out = d_in
            d_inputs, d_outputs = d_outputs, d_inputs
    return dX, d_params
