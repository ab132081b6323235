// Arrays of lengths[b] rows side by side, zeros behind them.

KERNEL(pad)(item* Y /*B, L, O*/, const uint64_t* arrays /*B*/, const int* lengths /*B*/, i64 B, i64 L, i64 O) {
  THINC_EACH(i, B * L * O) {
    const i64 b = i / (L * O), at = i % (L * O);
    Y[i] = at < lengths[b] * O ? ((const item*)arrays[b])[at] : item(0);
  }
}

KERNEL(list2padded)(item* Y /*L, B, O*/, const uint64_t* arrays /*B*/, const int* lengths /*B*/, i64 B, i64 L, i64 O) {
  THINC_EACH(i, L * B * O) {
    const i64 t = i / (B * O), b = i / O % B;
    Y[i] = t < lengths[b] ? ((const item*)arrays[b])[t * O + i % O] : item(0);
  }
}
