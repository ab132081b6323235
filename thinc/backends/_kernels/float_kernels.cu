// The kernels of one dtype: kernels.cu includes this file once for each, with `real` the type and KERNEL(name) the head
// of a kernel. See there for the conventions. N rows, B sequences, T all rows (`rows` here), I and O widths, P pieces,
// W window, V rows of a table.

// X (n, P): the first of equal pieces wins, and the first NaN

KERNEL(maxout)(real* best, int* which, const real* X, i64 n, i64 P) {
  THINC_EACH(i, n) best[i] = best_piece(which + i, X + i * P, (const real*)0, P);
}

// X (N, O, P) + bias (O, P)
KERNEL(biased_maxout)(real* best, int* which, const real* X, const real* bias, i64 N, i64 O, i64 P) {
  THINC_EACH(i, N * O) best[i] = best_piece(which + i, X + i * P, bias + i % O * P, P);
}

// The same, and layer normalization of the result; a warp for each row
KERNEL(normalized_maxout)(real* Y, real* best, int* which, real* mu, real* rstd, const real* X, const real* bias,
                          const real* G, const real* b, double eps, i64 N, i64 O, i64 P) {
  THINC_EACH_ROW(n, N) {
    real* row = best + n * O;  // each thread reads but what it wrote itself
    real sum = real(0), squares = real(0);
    for (i64 o = lane; o < O; o += WARP) {
      row[o] = best_piece(which + n * O + o, X + (n * O + o) * P, bias + o * P, P);
      sum += row[o];
    }
    const real m = warp_sum(sum) / real(O);
    for (i64 o = lane; o < O; o += WARP) squares += (row[o] - m) * (row[o] - m);
    const real r = real(1) / sqrt_(warp_sum(squares) / real(O) + real(eps));
    for (i64 o = lane; o < O; o += WARP) Y[n * O + o] = (row[o] - m) * r * G[o] + b[o];
    if (lane == 0) {
      mu[n] = m;
      rstd[n] = r;
    }
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
      if (exceeds(x, best)) {
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

// table (V, O) += values (N, O) at the rows; with lanes = 1 in order
KERNEL(scatter_add)(real* table, const int* indices, const real* values, i64 rows, i64 O, i64 N, i64 lanes) {
  THINC_EACH(i, lanes * O) {
    for (i64 n = i / O; n < N; n += lanes) {
      const i64 row = indices[n];
      if (row >= 0 && row < rows) atomicAdd(table + row * O + i % O, values[n * O + i % O]);
    }
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
  sum = block_sum(of_warp, sum);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
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

// Many parameters, in chunks (n_chunks, 2): which parameter, from which element on. arrays (A, 5): where w, g, m, v and
// the average are, 0 for none; sizes (A,); numbers (A, 9): the fields of Step. Each chunk is a block's.
// sums (n_chunks,) = the squares of g + l2 w in the chunk
KERNEL(sum_squares_of_chunks)(double* sums, const uint64_t* arrays, const i64* sizes, const double* numbers,
                              const i64* chunks, i64 n_chunks, i64 chunk_size) {
  THINC_SHARED(double, of_warp, 32);
  for (i64 c = blockIdx.x; c < n_chunks; c += gridDim.x) {
    const i64 a = chunks[2 * c], start = chunks[2 * c + 1], end = end_of_chunk(sizes[a], start, chunk_size);
    const real *w = (const real*)arrays[5 * a], *g = (const real*)arrays[5 * a + 1];
    const double sum = block_sum(of_warp, squares_between(g, w, numbers[9 * a + STEP_L2], start, end));
    if (threadIdx.x == 0) sums[c] = sum;
  }
}

// first_chunk (A + 1,): where the sums of each parameter begin
KERNEL(optimizer_steps)(const uint64_t* arrays, const i64* sizes, const double* numbers, const i64* chunks,
                        const i64* first_chunk, const double* sums, i64 n_chunks, i64 chunk_size) {
  for (i64 c = blockIdx.x; c < n_chunks; c += gridDim.x) {
    const i64 a = chunks[2 * c], start = chunks[2 * c + 1], end = end_of_chunk(sizes[a], start, chunk_size);
    const double clip = numbers[9 * a + STEP_GRAD_SCALE];
    double settings[N_STEP_SETTINGS];
    for (int i = 0; i < N_STEP_SETTINGS; ++i) settings[i] = numbers[9 * a + i];
    settings[STEP_GRAD_SCALE] = 1;
    if (clip != 0) {
      double squares = 0;
      for (i64 i = first_chunk[a] + threadIdx.x % WARP; i < first_chunk[a + 1]; i += WARP) squares += sums[i];
      const double norm = sqrt(warp_sum(squares));
      if (norm >= clip && norm > 0) settings[STEP_GRAD_SCALE] = clip / norm;
    }
    real* array[5];
    for (int i = 0; i < 5; ++i) array[i] = (real*)arrays[5 * a + i];
    const StepNumbers<real> s(settings);
    const int kind = (int)settings[STEP_KIND];
    if (kind == 0) {
      step_between<real, 0>(array, start, end, s);
    } else if (kind == 1) {
      step_between<real, 1>(array, start, end, s);
    } else {
      step_between<real, 2>(array, start, end, s);
    }
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
KERNEL(sum_rows)(real* sums, const real* X, const real* H, const real* mu, const real* rstd, i64 parts, i64 N, i64 O) {
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
  const real scale = finite_<real>(inverse_temperature), sign = scale < real(0) ? real(-1) : real(1);
  THINC_EACH_ROW(n, N) {
    const real* x = X + n * O;
    real best = x[lane < O ? lane : 0] * sign, sum = real(0);
    for (i64 o = lane; o < O; o += WARP) best = x[o] * sign > best ? x[o] * sign : best;
    best = warp_max(best) * sign;
    for (i64 o = lane; o < O; o += WARP) sum += exp_((x[o] - best) * scale);
    const real inverse = real(1) / warp_sum(sum);
    for (i64 o = lane; o < O; o += WARP) Y[n * O + o] = exp_((x[o] - best) * scale) * inverse;
  }
}

KERNEL(backprop_softmax)(real* dX, const real* Y, const real* dY, double inverse_temperature, i64 N, i64 O) {
  const real scale = finite_<real>(inverse_temperature);
  THINC_EACH_ROW(n, N) {
    const real *y = Y + n * O, *dy = dY + n * O;
    real sum = real(0);
    for (i64 o = lane; o < O; o += WARP) sum += y[o] * dy[o];
    sum = warp_sum(sum);
    for (i64 o = lane; o < O; o += WARP) dX[n * O + o] = scale * y[o] * (dy[o] - sum);
  }
}

// classes (N,): negative or O and more is none, and the row 0
KERNEL(backprop_cross_entropy)(real* dX, const real* Y, const int* classes, double right, double wrong, double scale,
                               i64 N, i64 O) {
  THINC_EACH(i, N * O) {
    const int c = classes[i / O];
    dX[i] = c < 0 || c >= O ? real(0) : (Y[i] - real(i % O == c ? right : wrong)) * real(scale);
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

KERNEL(backprop_lstm_gates)(real* dA, real* dC, const real* dY, const real* G, const real* C, const real* C_prev, i64 R,
                            i64 O) {
  THINC_EACH(i, R * O) {
    const i64 r = i / O, at = r * O;
    backprop_lstm_unit(dA + 4 * at, dC + at, dY + at, G + 4 * at, C + at, C_prev + at, O, i % O);
  }
}
