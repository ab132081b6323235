// Tables of rows: gather and scatter by index, hash embeddings, sparse linear layers; hashes of keys.
// N keys, B rows out, T rows of a table (V of a hash table), O width, K indices per row.
#pragma once

#include <string.h>

#include "hashing.hh"
#include "int8.hh"

THINC_BEGIN

// Keys are hashed a block at a time into the stack: the hashes vectorise, and the rows of later keys are known early
// enough to be fetched while earlier ones are summed.
static constexpr size_t key_block = 64;
static constexpr size_t rows_ahead = 24;  // of a table, being fetched: as many as keep the fill buffers busy
static constexpr size_t hashes_ahead = rows_ahead / 4;  // keys of a hash embedding, with four rows each
static constexpr size_t cache_line = 64;

THINC_FN void fetch_row(const char* row, size_t bytes) {
  for (size_t i = 0; i < bytes; i += cache_line) THINC_PREFETCH(row + i, 0);
}

// ---- one row of a table, as T: of numbers of type T, or narrower ones
template <class T>
struct Row {
  static constexpr size_t bytes(size_t O) { return O * sizeof(T); }
};

template <>
struct Row<Half> {
  static constexpr size_t bytes(size_t O) { return O * sizeof(Half); }
  const Half* x;
  Row(const char* row, size_t) : x(reinterpret_cast<const Half*>(row)) {}
  THINC_FN float at(size_t o) const { return widened(x + o); }
  THINC_FN Vec<float> vector_at(size_t o) const { return load_widened(x + o); }
};

template <>
struct Row<int8_t> {  // int8.hh
  static constexpr size_t bytes(size_t O) { return O + scale_bytes; }
  const int8_t* x;
  float scale;
  Row(const char* row, size_t O) : x(reinterpret_cast<const int8_t*>(row)), scale(read_scale(x, O)) {}
  THINC_FN float at(size_t o) const { return rounded(widened(x + o) * scale); }
  THINC_FN Vec<float> vector_at(size_t o) const { return rounded(load_widened(x + o) * splat(scale)); }
};

template <size_t R, class T>
THINC_FN T sum_of_rows(const T* const* rows, size_t o) {
  if constexpr (R == 1) {
    return rows[0][o];
  } else {
    return sum_of_rows<R - 1>(rows, o) + rows[R - 1][o];
  }
}

template <size_t R, class N>
THINC_FN auto sum_at(const Row<N>* rows, size_t o) {
  if constexpr (R == 1)
    return rows[0].at(o);
  else
    return sum_at<R - 1>(rows, o) + rows[R - 1].at(o);
}
template <size_t R, class N>
THINC_FN Vec<float> sum_of_vectors_at(const Row<N>* rows, size_t o) {
  if constexpr (R == 1)
    return rows[0].vector_at(o);
  else
    return sum_of_vectors_at<R - 1>(rows, o) + rows[R - 1].vector_at(o);
}

template <size_t R, bool first, class N, class T>
THINC_FN void gather_rows(T* y, const char* const* in, size_t O) {
  size_t o = 0;
  if constexpr (sizeof(N) == sizeof(T)) {
    const T* x[R];
    for (size_t r = 0; r < R; ++r) x[r] = reinterpret_cast<const T*>(in[r]);
#pragma omp simd
    for (size_t i = 0; i < O; ++i) y[i] = first ? sum_of_rows<R>(x, i) : y[i] + sum_of_rows<R>(x, i);
  } else {
    const Row<N> rows[4] = {{in[0], O}, {in[R > 1 ? 1 : 0], O}, {in[R > 2 ? 2 : 0], O}, {in[R > 3 ? 3 : 0], O}};
    for (; o + lanes<float>() <= O; o += lanes<float>()) {
      const Vec<float> sum = sum_of_vectors_at<R>(rows, o);
      store(y + o, first ? sum : load(y + o) + sum);
    }
    for (; o < O; ++o) y[o] = first ? sum_at<R>(rows, o) : y[o] + sum_at<R>(rows, o);
  }
}

template <bool first, class N, class T>
THINC_FN void gather_up_to_4_rows(T* y, const char* const* rows, size_t n, size_t O) {
  switch (n) {
    case 1:
      return gather_rows<1, first, N>(y, rows, O);
    case 2:
      return gather_rows<2, first, N>(y, rows, O);
    case 3:
      return gather_rows<3, first, N>(y, rows, O);
    case 4:
      return gather_rows<4, first, N>(y, rows, O);
  }
}

template <class T>
THINC_FN void add_row(T* y, const T* x, size_t O) {
#pragma omp simd
  for (size_t o = 0; o < O; ++o) y[o] += x[o];
}

// Y[b] = sum over k of table[indices[b, k]]; a bad index is one outside [0, T). The rows are of numbers N.
template <class T, class N = T>
int64_t gather_add(void* Y_, const void* table_, const int32_t* indices, size_t rows, size_t O, size_t B, size_t K) {
  T* Y = static_cast<T*>(Y_);
  const char* table = static_cast<const char*>(table_);
  const size_t bytes = Row<N>::bytes(O);
  uint32_t bad = 0;
  const uint32_t end = rows > INT32_MAX ? uint32_t(1) << 31 : uint32_t(rows);
#pragma omp simd reduction(| : bad)
  for (size_t i = 0; i < B * K; ++i) bad |= uint32_t(indices[i]) >= end;
  if (bad)
    for (size_t i = 0; i < B * K; ++i)
      if (uint32_t(indices[i]) >= end) return int64_t(i);
  const size_t keys_ahead = K && K < rows_ahead ? rows_ahead / K : 1;
  if (K == 0) memset(Y, 0, B * O * sizeof(T));
  for (size_t b = 0; b < B; ++b, Y += O, indices += K) {
    if (b + keys_ahead < B)
      for (size_t k = 0; k < K; ++k) fetch_row(table + size_t(indices[keys_ahead * K + k]) * bytes, bytes);
    for (size_t k = 0; k < K; k += 4) {
      const size_t n = K - k < 4 ? K - k : 4;
      const char* in[4];
      for (size_t r = 0; r < 4; ++r) in[r] = table + size_t(indices[r < n ? k + r : k]) * bytes;
      k == 0 ? gather_up_to_4_rows<true, N>(Y, in, n, O) : gather_up_to_4_rows<false, N>(Y, in, n, O);
    }
  }
  return -1;
}

// table[indices[n]] += values[n], in order; a negative index means "no row"; a bad one is T or more. Nothing is added
// if any index is bad.
template <class T>
int64_t scatter_add(void* table_, const int32_t* indices, const void* values_, size_t rows, size_t O, size_t N) {
  T* table = static_cast<T*>(table_);
  const T* values = static_cast<const T*>(values_);
  for (size_t n = 0; n < N; ++n)
    if (indices[n] >= 0 && size_t(indices[n]) >= rows) return int64_t(n);
  for (size_t n = 0; n < N; ++n, values += O) {
    if (n + rows_ahead < N && indices[n + rows_ahead] >= 0) {
      fetch_row(reinterpret_cast<const char*>(table + size_t(indices[n + rows_ahead]) * O), O * sizeof(T));
    }
    if (indices[n] >= 0) add_row(table + size_t(indices[n]) * O, values, O);
  }
  return -1;
}

// rows[4 n + j] = the row of the j-th hash of ids[n], for n < N <= key_block.
THINC_FN void hash_rows(size_t* rows, const uint64_t* ids, uint32_t seed, size_t N, Modulo modulo) {
#pragma omp simd
  for (size_t n = 0; n < N; ++n) {
    uint64_t low, high;
    murmur_128(&low, &high, ids[n], seed);
    rows[4 * n] = size_t(modulo.of(uint32_t(low)));
    rows[4 * n + 1] = size_t(modulo.of(uint32_t(low >> 32)));
    rows[4 * n + 2] = size_t(modulo.of(uint32_t(high)));
    rows[4 * n + 3] = size_t(modulo.of(uint32_t(high >> 32)));
  }
}

// Y[n] = sum of the rows E[h % V] for the four hashes h of ids[n].
// Svenstrup, Hansen & Winther 2017, https://arxiv.org/abs/1709.03933, without the importance weights.
template <class T, class Number = T>
void hash_embed(void* Y_, const void* E_, const uint64_t* ids, uint32_t seed, size_t N, size_t O, size_t V) {
  T* Y = static_cast<T*>(Y_);
  const char* E = static_cast<const char*>(E_);
  const size_t bytes = Row<Number>::bytes(O);
  const Modulo modulo(V);
  size_t rows[4 * key_block];
  for (size_t start = 0; start < N; start += key_block) {
    const size_t block = N - start < key_block ? N - start : key_block;
    hash_rows(rows, ids + start, seed, block, modulo);
    for (size_t n = 0; n < block; ++n, Y += O) {
      if (n + hashes_ahead < block)
        for (size_t j = 0; j < 4; ++j) fetch_row(E + rows[4 * (n + hashes_ahead) + j] * bytes, bytes);
      const char* in[4];
      for (size_t j = 0; j < 4; ++j) in[j] = E + rows[4 * n + j] * bytes;
      gather_rows<4, true, Number>(Y, in, O);
    }
  }
}

// Adds dY[n] to the same four rows of dE. A row that two hashes of a key share gets it twice.
template <class T>
void backprop_hash_embed(void* dE_, const void* dY_, const uint64_t* ids, uint32_t seed, size_t N, size_t O, size_t V) {
  T* dE = static_cast<T*>(dE_);
  const T* dY = static_cast<const T*>(dY_);
  const Modulo modulo(V);
  size_t rows[4 * key_block];
  for (size_t start = 0; start < N; start += key_block) {
    const size_t block = N - start < key_block ? N - start : key_block;
    hash_rows(rows, ids + start, seed, block, modulo);
    for (size_t n = 0; n < block; ++n, dY += O) {
      if (n + hashes_ahead < block)
        for (size_t j = 0; j < 4; ++j)
          fetch_row(reinterpret_cast<const char*>(dE + rows[4 * (n + hashes_ahead) + j] * O), O * sizeof(T));
      for (size_t j = 0; j < 4; ++j) add_row(dE + rows[4 * n + j] * O, dY, O);
    }
  }
}

// ---- sparse linear: the score of class c adds v (W[cell_1] + W[cell_2]) for each feature (key, v) of the example
// Cells of class c: c length + hash % length. In version 1, kept for the models that were trained with it, they are
// hash & (length - 1) + c: the classes overlap.

// cells (2, N): of class 0. length <= 2^31.
void sparse_cells(int32_t* cells, const uint64_t* keys, uint64_t length, int v1, size_t N) {
  const Modulo modulo(length);
  const uint64_t mask = length - 1;
#pragma omp simd
  for (size_t i = 0; i < N; ++i) {
    const uint32_t first = murmur_32(keys[i], 0), second = murmur_32(keys[i], 1);
    cells[i] = int32_t(v1 ? first & mask : modulo.of(first));
    cells[N + i] = int32_t(v1 ? second & mask : modulo.of(second));
  }
}

// visit(example, first class, first feature, number of features) for every example, a block of features at a time.
// One class of all examples comes after the other, so that its part of the table stays in cache; but those of version 1
// share their cache lines, and come together.
template <class Visit>
THINC_FN void each_class(size_t B, size_t O, size_t classes, const int32_t* lengths, const Visit& visit) {
  for (size_t c = 0; c < O; c += classes) {
    size_t feature = 0;
    for (size_t b = 0; b < B; ++b) {
      for (size_t left = size_t(lengths[b]), n; left > 0; left -= n, feature += n) {
        n = left < key_block ? left : key_block;
        visit(b, c, feature, n);
      }
    }
  }
}

template <class T>
void sparse_linear(void* Y_, const int32_t* cells, const void* values_, const int32_t* lengths, const void* W_,
                   const void* b_, size_t B, size_t N, size_t O, uint64_t length, int v1) {
  T* Y = static_cast<T*>(Y_);
  const T* all_values = static_cast<const T*>(values_);
  const size_t step = v1 ? 1 : size_t(length), classes = v1 ? O : 1;
  for (size_t b = 0; b < B; ++b) memcpy(Y + b * O, b_, O * sizeof(T));
  each_class(B, O, classes, lengths, [&](size_t b, size_t first_class, size_t feature, size_t n) {
    const T* values = all_values + feature;
    const int32_t *first = cells + feature, *second = first + N;
    for (size_t c = first_class; c < first_class + classes; ++c) {
      const T* of_class = static_cast<const T*>(W_) + c * step;
      T score = 0;
#pragma omp simd reduction(+ : score)
      for (size_t i = 0; i < n; ++i) score += values[i] * (of_class[first[i]] + of_class[second[i]]);
      Y[b * O + c] += score;
    }
  });
}

template <class T>
void backprop_sparse_linear(void* dW_, void* db_, const void* dY_, const int32_t* cells, const void* values_,
                            const int32_t* lengths, size_t B, size_t N, size_t O, uint64_t length, int v1) {
  const T* dY = static_cast<const T*>(dY_);
  const T* all_values = static_cast<const T*>(values_);
  const size_t step = v1 ? 1 : size_t(length), classes = v1 ? O : 1;
  for (size_t b = 0; b < B; ++b) add_row(static_cast<T*>(db_), dY + b * O, O);
  each_class(B, O, classes, lengths, [&](size_t b, size_t first_class, size_t feature, size_t n) {
    const T* values = all_values + feature;
    const int32_t *first = cells + feature, *second = first + N;
    for (size_t c = first_class; c < first_class + classes; ++c) {
      T* of_class = static_cast<T*>(dW_) + c * step;
      const T d = dY[b * O + c];
      for (size_t i = 0; i < n; ++i) {
        of_class[first[i]] += d * values[i];
        of_class[second[i]] += d * values[i];
      }
    }
  });
}

// ---- the kernels of the table for tables of 8 bits
int64_t gather_add_int8(void* Y, const void* table, const int32_t* indices, size_t rows, size_t O, size_t B, size_t K) {
  return gather_add<float, int8_t>(Y, table, indices, rows, O, B, K);
}
void hash_embed_int8(void* Y, const void* E, const uint64_t* ids, uint32_t seed, size_t N, size_t O, size_t V) {
  hash_embed<float, int8_t>(Y, E, ids, seed, N, O, V);
}

// ---- hashes: keys (N, 4), the four words of each id
void hash(uint32_t* keys, const uint64_t* ids, uint32_t seed, size_t N) {
#pragma omp simd
  for (size_t i = 0; i < N; ++i) {
    uint64_t low, high;
    murmur_128(&low, &high, ids[i], seed);
    keys[4 * i] = uint32_t(low);
    keys[4 * i + 1] = uint32_t(low >> 32);
    keys[4 * i + 2] = uint32_t(high);
    keys[4 * i + 3] = uint32_t(high >> 32);
  }
}

// keys (N - n + 1,): a hash of every n ids in a row; 1 <= n <= N.
void ngrams(uint64_t* keys, const uint64_t* ids, size_t n, size_t N) {
  const size_t windows = N - n + 1, block = 256;  // windows whose hash so far stays in the first cache
  for (size_t start = 0; start < windows; start += block) {
    const size_t stop = windows - start < block ? windows : start + block;
    for (size_t i = start; i < stop; ++i) keys[i] = ngram_begin(n);
    for (size_t j = 0; j < n; ++j) {
#pragma omp simd
      for (size_t i = start; i < stop; ++i) keys[i] = ngram_add(keys[i], ids[i + j]);
    }
#pragma omp simd
    for (size_t i = start; i < stop; ++i) keys[i] = ngram_finish(keys[i]);
  }
}

THINC_END
