// The gates of one time step.

// R sequences: A (R, 4, O), G (R, O, 4) or null
KERNEL(lstm_gates)(real* G /*R, Q*/, real* C /*R, O*/, real* Y /*R, O*/, const real* A /*R, Q*/, const real* b /*Q*/,
                   const real* C_prev /*R, O*/, i64 R, i64 O) {
  THINC_EACH(i, R * O) {
    const i64 r = i / O, at = r * O;
    if (G) {
      lstm_unit<true>(G + 4 * at, C + at, Y + at, A + 4 * at, b, C_prev + at, O, i % O);
    } else {
      lstm_unit<false>(G, C + at, Y + at, A + 4 * at, b, C_prev + at, O, i % O);
    }
  }
}

KERNEL(backprop_lstm_gates)(real* dA /*R, Q*/, real* dC /*R, O*/, const real* dY /*R, O*/, const real* G /*R, Q*/,
                            const real* C /*R, O*/, const real* C_prev /*R, O*/, i64 R, i64 O) {
  THINC_EACH(i, R * O) {
    const i64 r = i / O, at = r * O;
    backprop_lstm_unit(dA + 4 * at, dC + at, dY + at, G + 4 * at, C + at, C_prev + at, O, i % O);
  }
}
