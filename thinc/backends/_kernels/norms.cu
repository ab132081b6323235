// Layer normalization and softmax, a warp for each row; sums of columns.

WARP_KERNEL(layer_norm)(real* Y /*N, I*/, real* mu /*N*/, real* rstd /*N*/, const real* X /*N, I*/, const real* G /*I*/,
                        const real* b /*I*/, double eps, i64 N, i64 I) {
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

WARP_KERNEL(backprop_layer_norm)(real* dX /*N, I*/, const real* dY /*N, I*/, const real* X /*N, I*/,
                                 const real* G /*I*/, const real* mu /*N*/, const real* rstd /*N*/, i64 N, i64 I) {
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

WARP_KERNEL(softmax)(real* Y /*n, O+*/, const real* X /*n, O+*/, double inverse_temperature, i64 n, i64 O) {
  const real scale = finite_<real>(inverse_temperature), sign = scale < real(0) ? real(-1) : real(1);
  THINC_EACH_ROW(row, n) {
    const real* x = X + row * O;
    real best = x[lane < O ? lane : 0] * sign, sum = real(0);
    for (i64 o = lane; o < O; o += WARP) best = x[o] * sign > best ? x[o] * sign : best;
    best = warp_max(best) * sign;
    for (i64 o = lane; o < O; o += WARP) sum += exp_((x[o] - best) * scale);
    const real inverse = real(1) / warp_sum(sum);
    for (i64 o = lane; o < O; o += WARP) Y[row * O + o] = exp_((x[o] - best) * scale) * inverse;
  }
}

WARP_KERNEL(backprop_softmax)(real* dX /*n, O+*/, const real* Y /*n, O+*/, const real* dY /*n, O*/,
                              double inverse_temperature, i64 n, i64 O) {
  const real scale = finite_<real>(inverse_temperature);
  THINC_EACH_ROW(row, n) {
    const real *y = Y + row * O, *dy = dY + row * O;
    real sum = real(0);
    for (i64 o = lane; o < O; o += WARP) sum += y[o] * dy[o];
    sum = warp_sum(sum);
    for (i64 o = lane; o < O; o += WARP) dX[row * O + o] = scale * y[o] * (dy[o] - sum);
  }
}

// sums (parts, O): of X, or of X times the normalized H, over a part of the rows each
KERNEL(sum_rows)(real* sums /*parts, O*/, const real* X /*N, O*/, const real* H /*N, O*/, const real* mu /*N*/,
                 const real* rstd /*N*/, i64 parts, i64 N, i64 O) {
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
