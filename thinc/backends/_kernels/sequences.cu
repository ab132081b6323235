// Windows and reductions of sequences, which are given by `ends`.

// Y (T, 2W + 1, I): the rows around each, zeros outside its sequence
KERNEL(seq2col)(real* Y /*rows, windows, I*/, const real* X /*rows, I*/, const i64* ends /*B*/, i64 B, i64 rows, i64 I,
                i64 windows) {
  const i64 W = windows / 2;
  THINC_EACH(i, rows * windows * I) {
    const i64 t = i / (windows * I), from = t + i / I % windows - W, b = sequence_of(ends, B, t);
    Y[i] = from >= start_of(ends, b) && from < ends[b] ? X[from * I + i % I] : real(0);
  }
}

KERNEL(backprop_seq2col)(real* dX /*rows, I*/, const real* dY /*rows, windows, I*/, const i64* ends /*B*/, i64 B,
                         i64 rows, i64 I, i64 windows) {
  const i64 W = windows / 2;
  THINC_EACH(i, rows * I) {
    const i64 t = i / I, b = sequence_of(ends, B, t), start = start_of(ends, b);
    const i64 first = t - W > start ? t - W : start, end = t + W + 1 < ends[b] ? t + W + 1 : ends[b];
    real sum = real(0);
    for (i64 at = first; at < end; ++at) sum += dY[(at * windows + t - at + W) * I + i % I];
    dX[i] = sum;
  }
}

// X (T, O) -> Y (B, O); divided by the length if `mean`
KERNEL(reduce_sum)(real* Y /*B, O*/, const real* X /*rows, O*/, const i64* ends /*B*/, i64 B, i64 O, i64 mean) {
  THINC_EACH(i, B * O) {
    const i64 start = start_of(ends, i / O), end = ends[i / O];
    real sum = real(0);
    for (i64 t = start; t < end; ++t) sum += X[t * O + i % O];
    Y[i] = mean ? sum * (end > start ? real(1) / real(end - start) : real(0)) : sum;
  }
}

KERNEL(backprop_reduce_sum)(real* dX /*rows, O*/, const real* dY /*B, O*/, const i64* ends /*B*/, i64 B, i64 rows,
                            i64 O, i64 mean) {
  THINC_EACH(i, rows * O) {
    const i64 b = sequence_of(ends, B, i / O);
    const real d = dY[b * O + i % O];
    dX[i] = mean ? d * (real(1) / real(ends[b] - start_of(ends, b))) : d;
  }
}

// which: the row within its sequence; zeros for an empty one
KERNEL(reduce_max)(real* Y /*B, O*/, int* which /*B, O*/, const real* X /*rows, O*/, const i64* ends /*B*/, i64 B,
                   i64 O) {
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

KERNEL(backprop_reduce_max)(real* dX /*rows, O*/, const real* dY /*B, O*/, const int* which /*B, O*/,
                            const i64* ends /*B*/, i64 B, i64 rows, i64 O) {
  THINC_EACH(i, rows * O) {
    const i64 t = i / O, b = sequence_of(ends, B, t), at = b * O + i % O;
    dX[i] = which[at] == (int)(t - start_of(ends, b)) ? dY[at] : real(0);
  }
}
