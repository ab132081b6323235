// Runs CUDA kernels on a CPU, to check their numbers: the threads of a block are fibres that take turns, and give way
// at barriers and shuffles. Every thread of a block (of a warp, for shuffles) must come by the same ones.
#pragma once

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#define EMULATION_SWITCH_TO(fake, bottom, size) __sanitizer_start_switch_fiber(fake, bottom, size)
#define EMULATION_ARRIVED(fake) __sanitizer_finish_switch_fiber(fake, nullptr, nullptr)
#else
#define EMULATION_SWITCH_TO(fake, bottom, size) ((void)0)
#define EMULATION_ARRIVED(fake) ((void)0)
#endif

#define __global__
#define __device__
#define __forceinline__ inline __attribute__((always_inline))

struct Index {
  unsigned x;
};
static Index threadIdx, blockIdx, blockDim, gridDim;

namespace emulation {

struct Fibre {
  ucontext_t context;
  std::vector<char> stack;
  void* fake = nullptr;  // what ASan keeps of a fibre that is not running
  bool done = false;
};

static std::vector<Fibre> fibres;
static ucontext_t scheduler;
static void* scheduler_fake;
static char slots[1024][8];  // what the threads show each other in a shuffle
static void (*body)(void*);
static void* body_data;

inline void yield() {
  Fibre& mine = fibres[threadIdx.x];
  const unsigned me = threadIdx.x;
  EMULATION_SWITCH_TO(&mine.fake, nullptr, 0);
  swapcontext(&mine.context, &scheduler);
  EMULATION_ARRIVED(fibres[me].fake);
}

inline void start() {
  EMULATION_ARRIVED(nullptr);
  body(body_data);
  fibres[threadIdx.x].done = true;
  EMULATION_SWITCH_TO(nullptr, nullptr, 0);
  swapcontext(&fibres[threadIdx.x].context, &scheduler);
}

template <class Body>
void call(void* data) {
  (*static_cast<Body*>(data))();
}

template <class Body>
void run(unsigned grid, unsigned block, Body kernel) {
  const size_t stack_size = 64 * 1024;
  body = call<Body>;
  body_data = &kernel;
  gridDim.x = grid;
  blockDim.x = block;
  fibres.resize(block);
  for (blockIdx.x = 0; blockIdx.x < grid; ++blockIdx.x) {
    for (Fibre& fibre : fibres) {
      fibre.stack.resize(stack_size);
      fibre.done = false;
      getcontext(&fibre.context);
      fibre.context.uc_stack.ss_sp = fibre.stack.data();
      fibre.context.uc_stack.ss_size = stack_size;
      fibre.context.uc_link = &scheduler;
      makecontext(&fibre.context, reinterpret_cast<void (*)()>(start), 0);
    }
    for (bool left = true; left;) {
      left = false;
      for (threadIdx.x = 0; threadIdx.x < block; ++threadIdx.x) {
        Fibre& fibre = fibres[threadIdx.x];
        if (fibre.done) continue;
        EMULATION_SWITCH_TO(&scheduler_fake, fibre.stack.data(), stack_size);
        swapcontext(&scheduler, &fibre.context);
        EMULATION_ARRIVED(scheduler_fake);
        left = left || !fibre.done;
      }
    }
  }
}

template <class T>
T shuffle_xor(T x, int lane) {
  memcpy(slots[threadIdx.x], &x, sizeof x);
  yield();
  T other;
  memcpy(&other, slots[threadIdx.x ^ unsigned(lane)], sizeof other);
  yield();
  return other;
}

}  // namespace emulation

#define THINC_BARRIER() emulation::yield()
#define THINC_SHUFFLE_XOR(x, lane) emulation::shuffle_xor(x, lane)
#define THINC_SHARED(type, name, n) static type name[n]

template <class T>
T atomicAdd(T* at, T x) {
  const T old = *at;
  *at += x;
  return old;
}
