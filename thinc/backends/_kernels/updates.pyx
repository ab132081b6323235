# cython: language_level=3, binding=True
"""Steps of optimizers on the CPU, in place."""
cimport numpy as np

from .wrapping cimport Kernels, Seen, apart, data, dim, fallback, is_alike, is_in_place, kernels_for, ndim, replaced

np.import_array()

# Who replaces none of the ops that a step, or all steps, consist of.
cdef Seen STEP
cdef Seen STEPS


def adam(self, weights, gradient, mom1, mom2, double beta1, double beta2, double eps, double learn_rate,
         mod_rate=1.0):
    cdef const Kernels* k = kernels_for(weights)
    cdef tuple arrays = (weights, gradient, mom1, mom2)
    cdef size_t n
    cdef bint covered = k is not NULL
    if covered:
        for array in arrays:
            covered = covered and is_alike(array, weights) and is_in_place(array)
    if not covered:
        # (mod_rate is ignored, as it always was on this backend)
        fallback(self, "adam", (*arrays, beta1, beta2, eps, learn_rate))
        gradient *= 0
        return arrays
    cdef void* w = data(weights)
    cdef void* g = data(gradient)
    cdef void* m = data(mom1)
    cdef void* v = data(mom2)
    n = np.PyArray_SIZE(weights)
    with nogil:
        k.adam(w, g, m, v, beta1, beta2, eps, learn_rate, n)
    return arrays


def update_averages(self, ema, weights, t, max_decay=0.9999):
    cdef const Kernels* k = kernels_for(ema)
    if k is NULL or not (is_in_place(ema) and is_alike(weights, ema)):
        return fallback(self, "update_averages", (ema, weights, t, max_decay))
    cdef np.ndarray w = apart(weights, ema)
    cdef double decay = min((1.0 + t) / (10.0 + t), max_decay)
    cdef size_t n = np.PyArray_SIZE(ema)
    with nogil:
        k.update_averages(data(ema), data(w), decay, n)
    return None


def clip_gradient(self, gradient, double threshold):
    cdef const Kernels* k = kernels_for(gradient)
    if k is NULL or not is_in_place(gradient):
        return fallback(self, "clip_gradient", (gradient, threshold))
    cdef size_t n = np.PyArray_SIZE(gradient)
    cdef void* g = data(gradient)
    cdef double norm
    with nogil:
        norm = k.sum_squares(g, n) ** 0.5
        if norm >= threshold and norm > 0:
            k.scale(g, threshold / norm, n)
    return gradient


# ---- the step of an optimizer

# The numbers of a Step, in its order; the kernel finds in the place of grad_clip what to scale the gradient with.
cdef struct Numbers:
    double[9] settings
    int kind
    double grad_clip
    double L2
    bint lazy

cdef int SCALE = 1


cdef int read_step(object step, Numbers* s) except -1:
    cdef tuple numbers = tuple(step)  # (a named one is read by slower ways)
    cdef int i
    for i in range(9):
        s.settings[i] = numbers[i]
    s.kind, s.grad_clip, s.L2, s.lazy = numbers[0], numbers[1], numbers[2], numbers[9]
    return 0


cdef inline bint is_state(object X, object weights) noexcept:
    """An array of our dtype with an entry for each weight, which can be changed where it lies."""
    return (
        isinstance(X, np.ndarray)
        and np.PyArray_TYPE(<np.ndarray>X) == np.PyArray_TYPE(<np.ndarray>weights)
        and np.PyArray_SIZE(<np.ndarray>X) == np.PyArray_SIZE(<np.ndarray>weights)
        and is_in_place(X)
    )


cdef inline bint is_parameter(object weights, object gradient) noexcept:
    """An array that the kernels cover, and its gradient."""
    return (
        kernels_for(weights) is not NULL
        and is_in_place(weights)
        and is_alike(gradient, weights)
        and is_in_place(gradient)
    )


cdef bint take_step(object weights, object gradient, object mom1, object mom2, object average,
                    const Numbers* step) noexcept:
    """False if the kernels do not cover the arrays; nothing was changed then."""
    if not is_parameter(weights, gradient) or (step.grad_clip != 0 and step.L2 != 0):
        return False  # (the norm would be that of g + L2 w)
    if step.kind != 0 and not (is_state(mom1, weights) and is_state(mom2, weights)):
        return False
    if average is not None and not (is_alike(average, weights) and is_in_place(average)):
        return False
    cdef const Kernels* k = kernels_for(weights)
    cdef size_t n = np.PyArray_SIZE(weights)
    cdef size_t item = np.PyArray_ITEMSIZE(weights)
    cdef void* w = data(weights)
    cdef void* g = data(gradient)
    cdef void* m = data(mom1) if step.kind != 0 else NULL
    cdef void* v = data(mom2) if step.kind != 0 else NULL
    cdef void* ema = data(average) if average is not None else NULL
    cdef bint by_row = step.lazy and ndim(weights) == 2 and n > 0
    cdef size_t n_rows = dim(weights, 0) if by_row else 1
    cdef Numbers s = step[0]
    cdef double norm
    with nogil:
        s.settings[SCALE] = 1.0
        if s.grad_clip != 0:
            norm = k.sum_squares(g, n) ** 0.5
            if norm >= s.grad_clip and norm > 0:
                s.settings[SCALE] = s.grad_clip / norm
        if not by_row:
            k.optimizer_step(w, g, m, v, ema, n, s.settings)
        else:
            _step_rows(k, <char*>w, <char*>g, <char*>m, <char*>v, <char*>ema, n_rows, n // n_rows, item, s.settings)
    return True


cdef void _step_rows(const Kernels* k, char* w, char* g, char* m, char* v, char* ema, size_t n_rows, size_t width,
                     size_t item, const double* settings) noexcept nogil:
    """A step of each row that has a gradient."""
    cdef size_t row, at
    for row in range(n_rows):
        at = row * width * item
        if k.sum_squares(g + at, width) != 0:
            k.optimizer_step(w + at, g + at, m + at if m is not NULL else NULL, v + at if v is not NULL else NULL,
                             ema + at if ema is not NULL else NULL, width, settings)


def optimizer_step(self, weights, gradient, mom1, mom2, average, step):
    cdef Numbers s
    read_step(step, &s)
    if replaced(self, &STEP, ("adam", "clip_gradient")) or not take_step(weights, gradient, mom1, mom2, average, &s):
        return fallback(self, "optimizer_step", (weights, gradient, mom1, mom2, average, step))
    return None


def update_all(self, list parameters, mom1, mom2, averages, nr_update, step_of, lazy_name=None):
    if replaced(self, &STEPS, ("optimizer_step", "adam", "clip_gradient")):
        return fallback(self, "update_all", (parameters, mom1, mom2, averages, nr_update, step_of, lazy_name))
    cdef object key, weights, gradient, n, average, last = None
    cdef list left = []
    cdef Numbers s, lazy
    cdef bint ready
    for key, weights, gradient in parameters:
        if not is_parameter(weights, gradient):
            self._check_updates(parameters)
            break
    for key, weights, gradient in parameters:
        n = nr_update.get(key, 0) + 1
        if n != last:
            read_step(step_of(n), &s)
            lazy = s
            lazy.lazy = True
            last = n
        average = None if averages is None else averages.get(key)
        ready = is_parameter(weights, gradient) and np.PyArray_SIZE(weights) > 0
        ready = ready and (averages is None or average is not None)
        if ready and take_step(weights, gradient, mom1.get(key), mom2.get(key), average,
                               &lazy if lazy_name is not None and key[1] == lazy_name else &s):
            nr_update[key] = n
        else:
            left.append((key, weights, gradient))
    if left:
        # Those whose moments are yet to be made, and other dtypes.
        fallback(self, "update_all", (left, mom1, mom2, averages, nr_update, step_of, lazy_name))
    return None
