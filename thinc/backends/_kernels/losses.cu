// Gradients of losses.

// classes (N,): negative or O and more is none, and the row 0
KERNEL(backprop_cross_entropy)(real* dX /*N, O*/, const real* Y /*N, O*/, const int* classes /*N*/, double right,
                               double wrong, double scale, i64 N, i64 O) {
  THINC_EACH(i, N * O) {
    const int c = classes[i / O];
    dX[i] = c < 0 || c >= O ? real(0) : (Y[i] - real(i % O == c ? right : wrong)) * real(scale);
  }
}
