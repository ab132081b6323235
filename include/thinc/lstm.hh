// One time step of an LSTM with R rows and O units; the matrix products are the caller's.
// Hochreiter & Schmidhuber 1997, with the forget gate of Gers, Schmidhuber & Cummins 2000. Gates: forget f, input i,
// output o, candidate g.
//
//   a = A + b        (R, 4, O): gate by gate, as the weights (4, O, I) give it
//   f, i, o = logistic(a_f, a_i, a_o);  g = tanh(a_g)        G (R, O, 4): unit by unit, kept for the way back
//   C = f C_prev + i g
//   Y = o tanh(C)
#pragma once

#include "portable.hh"

THINC_BEGIN

template <class T>
THINC_FN T lstm_logistic(T x) {
  return T(1) / (T(1) + exp_within_80_(-clip_(x, T(-80), T(80))));
}

// Unit u of one row.
template <bool keep_gates, class T>
THINC_FN void lstm_unit(T* G, T* C, T* Y, const T* A, const T* b, const T* C_prev, size_t O, size_t u) {
  const T f = lstm_logistic(A[u] + b[u]);
  const T i = lstm_logistic(A[O + u] + b[O + u]);
  const T o = lstm_logistic(A[2 * O + u] + b[2 * O + u]);
  const T g = tanh_(A[3 * O + u] + b[3 * O + u]);
  const T c = f * C_prev[u] + i * g;
  if (keep_gates) {
    G[4 * u] = f;
    G[4 * u + 1] = i;
    G[4 * u + 2] = o;
    G[4 * u + 3] = g;
  }
  C[u] = c;
  Y[u] = o * tanh_(c);
}

template <bool keep_gates, class T>
THINC_FN void lstm_row(T* G, T* C, T* Y, const T* A, const T* b, const T* C_prev, size_t O) {
#pragma omp simd
  for (size_t u = 0; u < O; ++u) lstm_unit<keep_gates>(G, C, Y, A, b, C_prev, O, u);
}

template <class T>
THINC_FN void backprop_lstm_unit(T* dA, T* dC, const T* dY, const T* G, const T* C, const T* C_prev, size_t O,
                                 size_t u) {
  const T f = G[4 * u], i = G[4 * u + 1], o = G[4 * u + 2], g = G[4 * u + 3];
  const T squashed = tanh_(C[u]);
  const T dc = dC[u] + dY[u] * o * (T(1) - squashed * squashed);
  dA[u] = dc * C_prev[u] * f * (T(1) - f);
  dA[O + u] = dc * g * i * (T(1) - i);
  dA[2 * O + u] = dY[u] * squashed * o * (T(1) - o);
  dA[3 * O + u] = dc * i * (T(1) - g * g);
  dC[u] = dc * f;
}

// G may be null: the gates are not kept. C may be C_prev.
template <class T>
void lstm_gates(void* G_, void* C_, void* Y_, const void* A_, const void* b_, const void* C_prev_, size_t R, size_t O) {
  T* G = static_cast<T*>(G_);
  T* C = static_cast<T*>(C_);
  T* Y = static_cast<T*>(Y_);
  const T* A = static_cast<const T*>(A_);
  const T* b = static_cast<const T*>(b_);
  const T* C_prev = static_cast<const T*>(C_prev_);
  for (size_t r = 0; r < R; ++r, A += 4 * O, C += O, Y += O, C_prev += O) {
    if (G) {
      lstm_row<true>(G + 4 * O * r, C, Y, A, b, C_prev, O);
    } else {
      lstm_row<false>(G, C, Y, A, b, C_prev, O);
    }
  }
}

// dA (R, 4, O) from dY, the gradient of Y, and dC, that of C from the step after; dC becomes the gradient of C_prev.
template <class T>
void backprop_lstm_gates(void* dA_, void* dC_, const void* dY_, const void* G_, const void* C_, const void* C_prev_,
                         size_t R, size_t O) {
  T* dA = static_cast<T*>(dA_);
  T* dC = static_cast<T*>(dC_);
  const T* dY = static_cast<const T*>(dY_);
  const T* G = static_cast<const T*>(G_);
  const T* C = static_cast<const T*>(C_);
  const T* C_prev = static_cast<const T*>(C_prev_);
  for (size_t r = 0; r < R; ++r, dA += 4 * O, G += 4 * O, dC += O, dY += O, C += O, C_prev += O) {
#pragma omp simd
    for (size_t u = 0; u < O; ++u) backprop_lstm_unit(dA, dC, dY, G, C, C_prev, O, u);
  }
}

THINC_END
