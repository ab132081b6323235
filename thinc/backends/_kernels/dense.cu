// The largest of P pieces: of several equal ones the first, and the first NaN.

KERNEL(maxout)(real* best /*n*/, int* which /*n*/, const real* X /*n, P+*/, i64 n, i64 P) {
  THINC_EACH(i, n) best[i] = best_piece(which + i, X + i * P, (const real*)0, P);
}

// X (N, O, P) + bias (O, P)
KERNEL(biased_maxout)(real* best /*N, O*/, int* which /*N, O*/, const real* X /*N, O, P+*/, const real* bias /*O, P*/,
                      i64 N, i64 O, i64 P) {
  THINC_EACH(i, N * O) best[i] = best_piece(which + i, X + i * P, bias + i % O * P, P);
}

// The same, and layer normalization of the result; a warp for each row
WARP_KERNEL(normalized_maxout)(real* Y /*N, O*/, real* best /*N, O*/, int* which /*N, O*/, real* mu /*N*/,
                               real* rstd /*N*/, const real* X /*N, O, P+*/, const real* bias /*O, P*/,
                               const real* G /*O*/, const real* b /*O*/, double eps, i64 N, i64 O, i64 P) {
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

KERNEL(backprop_maxout)(real* dX /*n, P*/, const real* dY /*n*/, const int* which /*n*/, i64 n, i64 P) {
  THINC_EACH(i, n * P) dX[i] = which[i / P] == (int)(i % P) ? dY[i / P] : real(0);
}
