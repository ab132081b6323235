// Steps of optimizers, averages, clipping.

KERNEL(adam)(real* w /*n*/, real* g /*n*/, real* m /*n*/, real* v /*n*/, double beta1, double beta2, double eps,
             double learn_rate, i64 n) {
  const double numbers[N_STEP_SETTINGS] = {1, 1, 0, learn_rate, beta1, beta2, eps, 0, 0};
  step_each<real, 1>(w, g, m, v, (real*)0, n, StepNumbers<real>(numbers));
}

KERNEL(update_averages)(real* ema /*n*/, const real* w /*n*/, double rest, i64 n) {
  THINC_EACH(i, n) ema[i] -= real(rest) * (ema[i] - w[i]);
}

// sums[block] = the part of the block; a second launch of one block adds them
KERNEL(sum_squares)(double* sums /*blocks*/, const real* x /*n*/, const real* w /*n*/, double L2, i64 n) {
  THINC_SHARED(double, of_warp, 32);
  double sum = 0;
  THINC_EACH(i, n) {
    const double g = L2 != 0 ? (double)(x[i] + real(L2) * w[i]) : (double)x[i];
    sum += g * g;
  }
  sum = block_sum(of_warp, sum);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum;
}

// x scaled to the norm `threshold` if it reaches it; sums (n_sums,) of its squares
KERNEL(clip)(real* x /*n*/, const double* sums /*n_sums*/, i64 n_sums, double threshold, i64 n) {
  double norm = 0;
  for (i64 i = 0; i < n_sums; ++i) norm += sums[i];
  norm = sqrt(norm);
  if (norm >= threshold && norm > 0) {
    const real factor = real(threshold / norm);
    THINC_EACH(i, n) x[i] *= factor;
  }
}

KERNEL(optimizer_step)(real* w /*n*/, real* g /*n*/, real* m /*n*/, real* v /*n*/, real* ema /*n*/,
                       const double* sums /*n_sums*/, i64 n_sums, double kind, double grad_clip, double L2,
                       double learn_rate, double beta1, double beta2, double eps, double weight_decay, double rest,
                       i64 n) {
  double scale = 1;
  if (sums) {
    double norm = 0;
    for (i64 i = 0; i < n_sums; ++i) norm += sums[i];
    norm = sqrt(norm);
    if (norm >= grad_clip && norm > 0) scale = grad_clip / norm;
  }
  const double numbers[N_STEP_SETTINGS] = {kind, scale, L2, learn_rate, beta1, beta2, eps, weight_decay, rest};
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
KERNEL(sum_squares_of_chunks)(double* sums /*n_chunks*/, const uint64_t* arrays /*A, 5*/, const i64* sizes /*A*/,
                              const double* numbers /*A, 9*/, const i64* chunks /*n_chunks, 2*/, i64 n_chunks,
                              i64 chunk_size) {
  THINC_SHARED(double, of_warp, 32);
  for (i64 c = blockIdx.x; c < n_chunks; c += gridDim.x) {
    const i64 a = chunks[2 * c], start = chunks[2 * c + 1], end = end_of_chunk(sizes[a], start, chunk_size);
    const real *w = (const real*)arrays[5 * a], *g = (const real*)arrays[5 * a + 1];
    const double sum = block_sum(of_warp, squares_between(g, w, numbers[9 * a + STEP_L2], start, end));
    if (threadIdx.x == 0) sums[c] = sum;
  }
}

// first_chunk (A + 1,): where the sums of each parameter begin
KERNEL(optimizer_steps)(const uint64_t* arrays /*A, 5*/, const i64* sizes /*A*/, const double* numbers /*A, 9*/,
                        const i64* chunks /*n_chunks, 2*/, const i64* first_chunk /*A1*/,
                        const double* sums /*n_chunks*/, i64 n_chunks, i64 chunk_size) {
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
