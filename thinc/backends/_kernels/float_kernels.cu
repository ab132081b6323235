// The kernels of one dtype: kernels.cu includes this file once for each, with `real` the type and KERNEL(name) the head of
// a kernel. See there for the conventions.
// N rows, B sequences, T all rows (`rows` here), I and O widths, P pieces, W window, V rows of a table.

// ---- activations: two kernels for each row of THE LIST

#define THINC_ACTIVATION(name, Act, n_params)                                                                   \
  KERNEL(name)(real* y, const real* x, double p0, double p1, double p2, double p3, i64 n) {                     \
    const double p[4] = {p0, p1, p2, p3};                                                                       \
    const Act<real> act(p);                                                                                     \
    THINC_EACH(i, n) y[i] = act.forward(x[i]);                                                                  \
  }                                                                                                             \
  KERNEL(backprop_##name)(real* dx, const real* dy, const real* x, const real* y, double p0, double p1,         \
                          double p2, double p3, i64 n) {                                                        \
    const double p[4] = {p0, p1, p2, p3};                                                                       \
    const Act<real> act(p);                                                                                     \
    const bool reads_x = Act<real>::saved != Saved::Y, reads_y = Act<real>::saved != Saved::X;                  \
    THINC_EACH(i, n) dx[i] = act.backward(dy[i], reads_x ? x[i] : real(0), reads_y ? y[i] : real(0));           \
  }
THINC_ACTIVATIONS(THINC_ACTIVATION)
#undef THINC_ACTIVATION

// ---- the rest

// X (n, P): the first of equal pieces wins, a later NaN never does

KERNEL(maxout)(real* best, int* which, const real* X, i64 n, i64 P) {
  THINC_EACH(i, n) {
    real b = X[i * P];
    int w = 0;
    for (i64 p = 1; p < P; ++p) {
      const real x = X[i * P + p];
      if (x > b) {
        b = x;
        w = (int)p;
      }
    }
    best[i] = b;
    which[i] = w;
  }
}

KERNEL(backprop_maxout)(real* dX, const real* dY, const int* which, i64 n, i64 P) {
  THINC_EACH(i, n * P) dX[i] = which[i / P] == (int)(i % P) ? dY[i / P] : real(0);
}

// Y (T, 2W + 1, I): the rows around each, zeros outside its sequence
KERNEL(seq2col)(real* Y, const real* X, const i64* ends, i64 B, i64 rows, i64 I, i64 W) {
  const i64 windows = 2 * W + 1;
  THINC_EACH(i, rows * windows * I) {
    const i64 t = i / (windows * I), from = t + i / I % windows - W, b = sequence_of(ends, B, t);
    Y[i] = from >= start_of(ends, b) && from < ends[b] ? X[from * I + i % I] : real(0);
  }
}

KERNEL(backprop_seq2col)(real* dX, const real* dY, const i64* ends, i64 B, i64 rows, i64 I, i64 W) {
  const i64 windows = 2 * W + 1;
  THINC_EACH(i, rows * I) {
    const i64 t = i / I, b = sequence_of(ends, B, t), start = start_of(ends, b);
    const i64 first = t - W > start ? t - W : start, end = t + W + 1 < ends[b] ? t + W + 1 : ends[b];
    real sum = real(0);
    for (i64 at = first; at < end; ++at) sum += dY[(at * windows + t - at + W) * I + i % I];
    dX[i] = sum;
  }
}

// X (T, O) -> Y (B, O); divided by the length if `mean`
KERNEL(reduce_sum)(real* Y, const real* X, const i64* ends, i64 B, i64 O, i64 mean) {
  THINC_EACH(i, B * O) {
    const i64 start = start_of(ends, i / O), end = ends[i / O];
    real sum = real(0);
    for (i64 t = start; t < end; ++t) sum += X[t * O + i % O];
    Y[i] = mean ? sum * (end > start ? real(1) / real(end - start) : real(0)) : sum;
  }
}

KERNEL(backprop_reduce_sum)(real* dX, const real* dY, const i64* ends, i64 B, i64 rows, i64 O, i64 mean) {
  THINC_EACH(i, rows * O) {
    const i64 b = sequence_of(ends, B, i / O);
    const real d = dY[b * O + i % O];
    dX[i] = mean ? d * (real(1) / real(ends[b] - start_of(ends, b))) : d;
  }
}

// which: the row within its sequence; zeros for an empty one
KERNEL(reduce_max)(real* Y, int* which, const real* X, const i64* ends, i64 B, i64 O) {
  THINC_EACH(i, B * O) {
    const i64 start = start_of(ends, i / O), end = ends[i / O];
    real best = end > start ? X[start * O + i % O] : real(0);
    int w = 0;
    for (i64 t = start + 1; t < end; ++t) {
      const real x = X[t * O + i % O];
      if (x > best) {
        best = x;
        w = (int)(t - start);
      }
    }
    Y[i] = best;
    which[i] = w;
  }
}

KERNEL(backprop_reduce_max)(real* dX, const real* dY, const int* which, const i64* ends, i64 B, i64 rows, i64 O) {
  THINC_EACH(i, rows * O) {
    const i64 t = i / O, b = sequence_of(ends, B, t), at = b * O + i % O;
    dX[i] = which[at] == (int)(t - start_of(ends, b)) ? dY[at] : real(0);
  }
}

KERNEL(gather_add)(real* Y, const real* table, const int* indices, i64 rows, i64 O, i64 B, i64 K) {
  THINC_EACH(i, B * O) {
    real sum = real(0);
    for (i64 k = 0; k < K; ++k) {
      const i64 row = indices[i / O * K + k];
      if (row >= 0 && row < rows) sum += table[row * O + i % O];
    }
    Y[i] = sum;
  }
}

// table (V, O) += values (N, O) at the rows; with lanes = 1 in order
KERNEL(scatter_add)(real* table, const int* indices, const real* values, i64 rows, i64 O, i64 N, i64 lanes) {
  THINC_EACH(i, lanes * O) {
    for (i64 n = i / O; n < N; n += lanes) {
      const i64 row = indices[n];
      if (row >= 0 && row < rows) atomicAdd(table + row * O + i % O, values[n * O + i % O]);
    }
  }
}

KERNEL(hash_embed)(real* Y, const real* E, const uint64_t* ids, i64 seed, i64 N, i64 O, i64 V) {
  const Modulo modulo((uint64_t)V);
  THINC_EACH(i, N * O) {
    i64 row[4];
    hashed_rows(row, ids[i / O], (uint32_t)seed, modulo);
    const real* column = E + i % O;
    Y[i] = ((column[row[0] * O] + column[row[1] * O]) + column[row[2] * O]) + column[row[3] * O];
  }
}

KERNEL(backprop_hash_embed)(real* dE, const real* dY, const uint64_t* ids, i64 seed, i64 N, i64 O, i64 V, i64 lanes) {
  const Modulo modulo((uint64_t)V);
  THINC_EACH(i, lanes * O) {
    for (i64 n = i / O; n < N; n += lanes) {
      i64 row[4];
      hashed_rows(row, ids[n], (uint32_t)seed, modulo);
      for (int j = 0; j < 4; ++j) atomicAdd(dE + row[j] * O + i % O, dY[n * O + i % O]);
    }
  }
}

KERNEL(adam)(real* w, real* g, real* m, real* v, double b1, double b2, double eps, double lr, i64 n) {
  const double numbers[N_STEP_SETTINGS] = {1, 1, 0, lr, b1, b2, eps, 0, 0};
  step_each<real, 1>(w, g, m, v, (real*)0, n, StepNumbers<real>(numbers));
}

KERNEL(update_averages)(real* ema, const real* w, double rest, i64 n) {
  THINC_EACH(i, n) ema[i] -= real(rest) * (ema[i] - w[i]);
}

// sums[block] = the part of the block; a second launch of one block adds them
KERNEL(sum_squares)(double* sums, const real* x, double l2, const real* w, i64 n) {
  THINC_SHARED(double, of_warp, 32);
  double sum = 0;
  THINC_EACH(i, n) {
    const double g = l2 != 0 ? (double)(x[i] + real(l2) * w[i]) : (double)x[i];
    sum += g * g;
  }
  sum = warp_sum(sum);
  if (threadIdx.x % WARP == 0) of_warp[threadIdx.x / WARP] = sum;
  THINC_BARRIER();
  if (threadIdx.x == 0) {
    sum = 0;
    for (int i = 0; i < (int)(blockDim.x / WARP); ++i) sum += of_warp[i];
    sums[blockIdx.x] = sum;
  }
}

// x scaled to the norm `threshold` if it reaches it; sums (n_sums,) of its squares
KERNEL(clip)(real* x, const double* sums, i64 n_sums, double threshold, i64 n) {
  double norm = 0;
  for (i64 i = 0; i < n_sums; ++i) norm += sums[i];
  norm = sqrt(norm);
  if (norm >= threshold && norm > 0) {
    const real factor = real(threshold / norm);
    THINC_EACH(i, n) x[i] *= factor;
  }
}

KERNEL(optimizer_step)(real* w, real* g, real* m, real* v, real* ema, const double* sums, i64 n_sums, i64 kind,
                       double grad_clip, double l2, double lr, double b1, double b2, double eps, double decay,
                       double rest, i64 n) {
  double scale = 1;
  if (sums) {
    double norm = 0;
    for (i64 i = 0; i < n_sums; ++i) norm += sums[i];
    norm = sqrt(norm);
    if (norm >= grad_clip && norm > 0) scale = grad_clip / norm;
  }
  const double numbers[N_STEP_SETTINGS] = {(double)kind, scale, l2, lr, b1, b2, eps, decay, rest};
  const StepNumbers<real> s(numbers);
  if (kind == 0) {
    step_each<real, 0>(w, g, m, v, ema, n, s);
  } else if (kind == 1) {
    step_each<real, 1>(w, g, m, v, ema, n, s);
  } else {
    step_each<real, 2>(w, g, m, v, ema, n, s);
  }
}

KERNEL(dropout_mask)(real* mask, double drop, i64 seed, i64 n) {
  const real keep = real(1.0 / (1.0 - drop));
  const uint32_t limit = (uint32_t)(drop * 16777216.0), key0 = (uint32_t)seed;
  THINC_EACH(i, n) {
    const uint32_t key1 = (uint32_t)((uint64_t)seed >> 32) ^ (uint32_t)(i >> 31);
    mask[i] = (counter_bits((uint32_t)(i & 0x7fffffff), key0, key1) >> 8) < limit ? real(0) : keep;
  }
}

// a warp for each row
KERNEL(layer_norm)(real* Y, real* mu, real* rstd, const real* X, const real* G, const real* b, double eps, i64 N,
                   i64 I) {
  THINC_EACH_ROW(n, N) {
    const real* x = X + n * I;
    real sum = real(0), squares = real(0);
    for (i64 i = lane; i < I; i += WARP) sum += x[i];
    const real m = warp_sum(sum) / real(I);
    for (i64 i = lane; i < I; i += WARP) squares += (x[i] - m) * (x[i] - m);
    const real r = real(1) / sqrt_(warp_sum(squares) / real(I) + real(eps));
    for (i64 i = lane; i < I; i += WARP) Y[n * I + i] = (x[i] - m) * r * G[i] + b[i];
    if (lane == 0) {
      mu[n] = m;
      rstd[n] = r;
    }
  }
}

KERNEL(backprop_layer_norm)(real* dX, const real* dY, const real* X, const real* G, const real* mu, const real* rstd,
                            i64 N, i64 I) {
  THINC_EACH_ROW(n, N) {
    const real *x = X + n * I, *dy = dY + n * I, m = mu[n], r = rstd[n];
    real sum = real(0), sum_h = real(0);
    for (i64 i = lane; i < I; i += WARP) {
      const real g = dy[i] * G[i];
      sum += g;
      sum_h += g * ((x[i] - m) * r);
    }
    const real mean = warp_sum(sum) / real(I), mean_h = warp_sum(sum_h) / real(I);
    for (i64 i = lane; i < I; i += WARP) {
      dX[n * I + i] = r * (dy[i] * G[i] - mean - (x[i] - m) * r * mean_h);
    }
  }
}

// sums (parts, O): of X, or of X times the normalized H, over a part of the rows each
KERNEL(sum_rows)(real* sums, const real* X, const real* H, const real* mu, const real* rstd, i64 parts, i64 N,
                 i64 O) {
  const i64 size = (N + parts - 1) / parts;
  THINC_EACH(i, parts * O) {
    const i64 start = i / O * size, end = start + size < N ? start + size : N, o = i % O;
    real sum = real(0);
    if (H) {
      for (i64 n = start; n < end; ++n) sum += X[n * O + o] * ((H[n * O + o] - mu[n]) * rstd[n]);
    } else {
      for (i64 n = start; n < end; ++n) sum += X[n * O + o];
    }
    sums[i] = sum;
  }
}

KERNEL(softmax)(real* Y, const real* X, double inverse_temperature, i64 N, i64 O) {
  const real scale = real(inverse_temperature);
  THINC_EACH_ROW(n, N) {
    const real* x = X + n * O;
    real best = x[lane < O ? lane : 0] * scale, sum = real(0);
    for (i64 o = lane; o < O; o += WARP) best = x[o] * scale > best ? x[o] * scale : best;
    best = warp_max(best);
    for (i64 o = lane; o < O; o += WARP) sum += exp_(x[o] * scale - best);
    const real inverse = real(1) / warp_sum(sum);
    for (i64 o = lane; o < O; o += WARP) Y[n * O + o] = exp_(x[o] * scale - best) * inverse;
  }
}

KERNEL(backprop_softmax)(real* dX, const real* Y, const real* dY, double inverse_temperature, i64 N, i64 O) {
  const real scale = real(inverse_temperature);
  THINC_EACH_ROW(n, N) {
    const real *y = Y + n * O, *dy = dY + n * O;
    real sum = real(0);
    for (i64 o = lane; o < O; o += WARP) sum += y[o] * dy[o];
    sum = warp_sum(sum);
    for (i64 o = lane; o < O; o += WARP) dX[n * O + o] = scale * y[o] * (dy[o] - sum);
  }
}

// one time step of R sequences: A (R, 4, O), G (R, O, 4) or null
KERNEL(lstm_gates)(real* G, real* C, real* Y, const real* A, const real* b, const real* C_prev, i64 R, i64 O) {
  THINC_EACH(i, R * O) {
    const i64 r = i / O, at = r * O;
    if (G) {
      lstm_unit<true>(G + 4 * at, C + at, Y + at, A + 4 * at, b, C_prev + at, O, i % O);
    } else {
      lstm_unit<false>(G, C + at, Y + at, A + 4 * at, b, C_prev + at, O, i % O);
    }
  }
}

KERNEL(backprop_lstm_gates)(real* dA, real* dC, const real* dY, const real* G, const real* C, const real* C_prev,
                            i64 R, i64 O) {
  THINC_EACH(i, R * O) {
    const i64 r = i / O, at = r * O;
    backprop_lstm_unit(dA + 4 * at, dC + at, dY + at, G + 4 * at, C + at, C_prev + at, O, i % O);
  }
}
