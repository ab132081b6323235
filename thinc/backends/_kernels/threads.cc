// Intra-op threads, off by default: for every CPU level a second kernel table whose large kernels cut their work into
// parts and share them with a pool. The kernels themselves know nothing of it, and with one thread nobody pays for it.
//
// Parts are cut where results do not depend on the cut: between rows, or between elements. So the bits are the same for
// every number of threads. A call that finds the pool busy (another Python thread is in it) runs in its own thread:
// there are never more threads at work than were asked for, plus the callers'.
//
// Nothing is thrown out of here. What can throw, all in Pool: a Thread and the vector of them (no thread or memory is
// to be had: the work is done by those there are), and locking a mutex (never for these: they are not recursive, and
// alive).
#include "threads.hh"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#ifdef _WIN32
#include <thread>
#else
#include <pthread.h>
#endif

namespace thinc {

namespace {

typedef void (*task_t)(const void* context, size_t part);

#ifdef _WIN32
typedef std::thread Thread;
#else
// std::thread takes the stack that the C library gives, 128 KiB by musl; kernels keep their blocks there, as
// gemm.hh says.
class Thread {
 public:
  template <class Body>
  explicit Thread(Body body) {
    std::unique_ptr<Body> own(new Body(std::move(body)));
    pthread_attr_t attributes;
    int error = pthread_attr_init(&attributes);
    if (!error) {
      error = pthread_attr_setstacksize(&attributes, size_t(1) << 20);
      if (!error) error = pthread_create(&thread_, &attributes, run<Body>, own.get());
      pthread_attr_destroy(&attributes);
    }
    if (error) throw std::bad_alloc();
    own.release();
  }
  void join() { pthread_join(thread_, nullptr); }

 private:
  template <class Body>
  static void* run(void* body) {
    (*std::unique_ptr<Body>(static_cast<Body*>(body)))();
    return nullptr;
  }
  pthread_t thread_;
};
#endif

class Pool {
 public:
  explicit Pool(int n_threads) : n_threads_(n_threads) {}

  int size() const { return n_threads_.load(std::memory_order_relaxed); }

  // Runs task(context, 0) to task(context, parts - 1), in any order, and returns when all are done.
  void run(size_t parts, task_t task, const void* context) noexcept {
    std::unique_lock<std::mutex> turn(turn_, std::try_to_lock);
    if (turn && parts > 1) start_workers();
    if (!turn || parts < 2 || workers_.empty()) {
      for (size_t part = 0; part < parts; ++part) task(context, part);
      return;
    }
    {
      std::lock_guard<std::mutex> lock(mutex_);
      task_ = task;
      context_ = context;
      parts_ = parts;
      next_ = 0;
      at_work_ = workers_.size();
      ++job_;
    }
    wake_.notify_all();
    take_parts();
    std::unique_lock<std::mutex> lock(mutex_);
    done_.wait(lock, [this] { return at_work_ == 0; });
  }

  // Waits for the call that uses the pool; those that come later find the new number.
  void resize(int n_threads) noexcept {
    std::lock_guard<std::mutex> turn(turn_);
    n_threads_ = n_threads;
    if (workers_.size() < static_cast<size_t>(n_threads)) return;  // more are started when they are needed
    {
      std::lock_guard<std::mutex> lock(mutex_);
      stopped_ = true;
    }
    wake_.notify_all();
    for (Thread& worker : workers_) worker.join();
    workers_.clear();
    stopped_ = false;
  }

 private:
  // As many as there should be, or as can be had.
  void start_workers() noexcept {
    try {
      while (workers_.size() + 1 < static_cast<size_t>(size())) {
        workers_.reserve(workers_.size() + 1);
        workers_.emplace_back([this, seen = job_]() noexcept { work(seen); });
      }
    } catch (...) {
    }
  }

  void take_parts() {
    for (size_t part; (part = next_.fetch_add(1)) < parts_;) task_(context_, part);
  }

  void work(size_t seen) {
    for (;;) {
      {
        std::unique_lock<std::mutex> lock(mutex_);
        wake_.wait(lock, [&] { return stopped_ || job_ != seen; });
        if (stopped_) return;
        seen = job_;
      }
      take_parts();
      std::lock_guard<std::mutex> lock(mutex_);
      if (--at_work_ == 0) done_.notify_one();
    }
  }

  std::atomic<int> n_threads_;
  std::mutex turn_;              // held by the call that uses the pool, or changes it
  std::vector<Thread> workers_;  // guarded by it
  std::mutex mutex_;             // guards what follows
  std::condition_variable wake_, done_;
  std::atomic<size_t> next_{0};
  task_t task_ = nullptr;
  const void* context_ = nullptr;
  size_t parts_ = 0, at_work_ = 0, job_ = 0;
  bool stopped_ = false;
};

// One for the process, and never destroyed: a thread may still be in it when the process ends.
alignas(Pool) char pool_memory[sizeof(Pool)];
Pool* const pool = new (pool_memory) Pool(1);
std::atomic<const KernelTable*> plain{nullptr};  // the kernels of the CPU level in use

#ifndef _WIN32
void forget_threads() { new (pool_memory) Pool(pool->size()); }  // a forked process has one thread
const int forgets_threads = pthread_atfork(nullptr, nullptr, forget_threads);
#endif

template <class Body>
void call(const void* context, size_t part) {
  (*static_cast<const Body*>(context))(part);
}

// body(begin, end) over [0, n) in parts of at least `grain`, a multiple of 64.
template <class Body>
void share(size_t n, size_t grain, const Body& body) {
  const size_t threads = static_cast<size_t>(pool->size());
  // Two parts a thread even out cores of which another process takes a share.
  const size_t step = std::max(grain, (n / (2 * threads) + 64) / 64 * 64);
  if (n <= step) return body(size_t(0), n);
  const auto one = [&](size_t part) { body(part * step, std::min(n, (part + 1) * step)); };
  pool->run((n + step - 1) / step, call<decltype(one)>, &one);
}

// A part should outlast waking a thread (about 10 us): 2^19 multiplications and additions, 2^15 elements.
size_t grain_of_rows(size_t work_per_row, size_t work) {
  const size_t rows = work / std::max<size_t>(work_per_row, 1) + 1;
  return (rows + 63) / 64 * 64;
}
const size_t FLOPS = size_t(1) << 19, ELEMENTS = size_t(1) << 15;

// Asked once a call: all parts are of one CPU level, whatever another thread switches to meanwhile.
struct Half {};
struct Int8 {};
template <class T>
auto of() -> const std::conditional_t<std::is_floating_point_v<T>, Kernels, WeightKernels>& {
  const KernelTable* table = plain.load(std::memory_order_acquire);
  if constexpr (std::is_same_v<T, float>) {
    return table->f32;
  } else if constexpr (std::is_same_v<T, double>) {
    return table->f64;
  } else if constexpr (std::is_same_v<T, Half>) {
    return table->half;
  } else {
    return table->int8;
  }
}

template <class T>
const T* at(const void* array, size_t offset) {
  return static_cast<const T*>(array) + offset;
}
template <class T>
T* at(void* array, size_t offset) {
  return static_cast<T*>(array) + offset;
}

template <class T>
void gemm(int trans_a, int trans_b, size_t M, size_t N, size_t K, double alpha, const void* A, size_t lda,
          const void* B, size_t ldb, double beta, void* C, size_t ldc) {
  const Kernels& k = of<T>();
  if (M >= N) {
    share(M, grain_of_rows(N * K, FLOPS), [&](size_t begin, size_t end) {
      k.gemm(trans_a, trans_b, end - begin, N, K, alpha, at<T>(A, trans_a ? begin : begin * lda), lda, B, ldb, beta,
             at<T>(C, begin * ldc), ldc);
    });
  } else {
    share(N, grain_of_rows(M * K, FLOPS), [&](size_t begin, size_t end) {
      k.gemm(trans_a, trans_b, M, end - begin, K, alpha, A, lda, at<T>(B, trans_b ? begin * ldb : begin), ldb, beta,
             at<T>(C, begin), ldc);
    });
  }
}

// T: of X and Y; W: of the weights, which are passed on whole
template <class T, class W>
void affine(void* Y, const void* X, const void* weights, const void* b, size_t N, size_t I, size_t O) {
  const WeightKernels& k = of<W>();
  share(N, grain_of_rows(I * O, FLOPS), [&](size_t begin, size_t end) {
    k.affine(at<T>(Y, begin * O), at<T>(X, begin * I), weights, b, end - begin, I, O);
  });
}

template <class T, class W>
void add_product(void* Y, const void* X, const void* weights, size_t N, size_t I, size_t O) {
  const WeightKernels& k = of<W>();
  share(N, grain_of_rows(I * O, FLOPS), [&](size_t begin, size_t end) {
    k.add_product(at<T>(Y, begin * O), at<T>(X, begin * I), weights, end - begin, I, O);
  });
}

template <class T, class W>
void affine_maxout(void* best, int32_t* which, const void* X, size_t ldx, const void* weights, const void* b, size_t N,
                   size_t I, size_t O, size_t P) {
  const WeightKernels& k = of<W>();
  share(N, grain_of_rows(I * O * P, FLOPS), [&](size_t begin, size_t end) {
    k.affine_maxout(at<T>(best, begin * O), which + begin * O, at<T>(X, begin * ldx), ldx, weights, b, end - begin, I,
                    O, P);
  });
}

template <class T, class W>
void affine_maxout_layer_norm(void* Y, void* best, int32_t* which, void* mu, void* rstd, const void* X, size_t ldx,
                              const void* weights, const void* b, const void* G, const void* beta, double eps, size_t N,
                              size_t I, size_t O, size_t P) {
  const WeightKernels& k = of<W>();
  share(N, grain_of_rows(I * O * P, FLOPS), [&](size_t begin, size_t end) {
    k.affine_maxout_layer_norm(at<T>(Y, begin * O), best ? at<T>(best, begin * O) : best,
                               which ? which + begin * O : which, at<T>(mu, begin), at<T>(rstd, begin),
                               at<T>(X, begin * ldx), ldx, weights, b, G, beta, eps, end - begin, I, O, P);
  });
}

template <class T>
void layer_norm(void* Y, void* mu, void* rstd, const void* X, const void* G, const void* b, double eps, size_t N,
                size_t I) {
  const Kernels& k = of<T>();
  share(N, grain_of_rows(I, ELEMENTS), [&](size_t begin, size_t end) {
    k.layer_norm(at<T>(Y, begin * I), at<T>(mu, begin), at<T>(rstd, begin), at<T>(X, begin * I), G, b, eps, end - begin,
                 I);
  });
}

template <class T>
void softmax(void* Y, const void* X, double inverse_temperature, size_t N, size_t O) {
  const Kernels& k = of<T>();
  share(N, grain_of_rows(O, ELEMENTS), [&](size_t begin, size_t end) {
    k.softmax(at<T>(Y, begin * O), at<T>(X, begin * O), inverse_temperature, end - begin, O);
  });
}

template <class T>
void maxout(void* best, int32_t* which, const void* X, size_t N, size_t O, size_t P) {
  const Kernels& k = of<T>();
  share(N, grain_of_rows(O * P, ELEMENTS), [&](size_t begin, size_t end) {
    k.maxout(at<T>(best, begin * O), which + begin * O, at<T>(X, begin * O * P), end - begin, O, P);
  });
}

template <class T>
void optimizer_step(void* w, void* g, void* m, void* v, void* ema, size_t n, const double* settings) {
  const Kernels& k = of<T>();
  share(n, ELEMENTS, [&](size_t begin, size_t end) {
    // (an optimizer without moments or averages passes null)
    k.optimizer_step(at<T>(w, begin), at<T>(g, begin), m ? at<T>(m, begin) : m, v ? at<T>(v, begin) : v,
                     ema ? at<T>(ema, begin) : ema, end - begin, settings);
  });
}

template <class T, size_t index>
void forward(void* out, const void* x, size_t n, const double* params) {
  const Kernels& k = of<T>();
  share(n, ELEMENTS,
        [&](size_t begin, size_t end) { k.forward[index](at<T>(out, begin), at<T>(x, begin), end - begin, params); });
}

template <class T, size_t index>
void backward(void* dx, const void* dy, const void* x, const void* y, size_t n, const double* params) {
  const Kernels& k = of<T>();
  share(n, ELEMENTS, [&](size_t begin, size_t end) {
    k.backward[index](at<T>(dx, begin), at<T>(dy, begin), at<T>(x, begin), at<T>(y, begin), end - begin, params);
  });
}

template <class T, class W>
void replace(WeightKernels* k) {
  k->affine = affine<T, W>;
  k->add_product = add_product<T, W>;
  k->affine_maxout = affine_maxout<T, W>;
  k->affine_maxout_layer_norm = affine_maxout_layer_norm<T, W>;
}

template <class T, size_t... index>
void replace(Kernels* k, std::index_sequence<index...>) {
  replace<T, T>(k);
  k->gemm = gemm<T>;
  k->layer_norm = layer_norm<T>;
  k->softmax = softmax<T>;
  k->maxout = maxout<T>;
  k->optimizer_step = optimizer_step<T>;
  const forward_t forwards[] = {forward<T, index>...};
  const backward_t backwards[] = {backward<T, index>...};
  std::copy(forwards, forwards + sizeof...(index), k->forward);
  std::copy(backwards, backwards + sizeof...(index), k->backward);
}

}  // namespace

void make_threaded(KernelTable* threaded, const KernelTable* kernels) {
  *threaded = *kernels;
  replace<float>(&threaded->f32, std::make_index_sequence<THINC_N_ACTIVATIONS>());
  replace<double>(&threaded->f64, std::make_index_sequence<THINC_N_ACTIVATIONS>());
  replace<float, Half>(&threaded->half);
  replace<float, Int8>(&threaded->int8);
}

void use_plain(const KernelTable* kernels) { plain.store(kernels, std::memory_order_release); }
int n_threads() { return pool->size(); }
void set_pool_size(int n) { pool->resize(n); }

}  // namespace thinc
