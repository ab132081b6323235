// threads.cc, dispatch.cc and arena.hh under ThreadSanitizer: sanitize.sh builds and runs it. Exits with 1 if a result
// is wrong; ThreadSanitizer ends it with 66 at the first race.
#include <stdio.h>

#include <thread>
#include <vector>

#include "arena.hh"
#include "thinc/table.hh"

namespace {

constexpr size_t N = 700, I = 64, O = 96;
std::atomic<bool> wrong{false}, stop{false};

void compute() {
  const std::vector<float> X(N * I, 1.0f), W(O * I, 2.0f), b(O, 3.0f);
  while (!stop) {
    float* Y = static_cast<float*>(thinc::arena_take(N * O * sizeof(float)));
    thinc::kernels()->f32.affine(Y, X.data(), W.data(), b.data(), N, I, O);
    for (size_t i = 0; i < N * O; ++i)
      if (Y[i] != 2.0f * I + 3.0f) wrong = true;
    thinc::arena_give(Y);
  }
}

// Takes what another thread gives.
void pass_on() {
  for (int i = 0; i < 200; ++i) {
    void* block = thinc::arena_take(size_t(1) << (10 + i % 12));
    *static_cast<char*>(block) = 1;
    std::thread([block] { thinc::arena_give(block); }).join();
  }
}

}  // namespace

int main() {
  thinc::use_isa("base");
  std::vector<std::thread> workers;
  for (int i = 0; i < 3; ++i) workers.emplace_back(compute);
  workers.emplace_back(pass_on);
  for (int i = 0; i < 100; ++i) {
    thinc::set_num_threads(1 + i % 3);
    thinc::use_isa("base");
    thinc::arena_release_all();
    std::this_thread::yield();
  }
  stop = true;
  for (std::thread& worker : workers) worker.join();
  thinc::set_num_threads(1);
  puts(wrong ? "wrong" : "no race");
  return wrong;
}
