// Which kernel table this process uses. Chosen by what the CPU can do, never by its name: an unknown CPU that has the
// features gets the level, and one without them gets `base`.
#include <string.h>

#include "thinc/table.hh"
#include "threads.hh"

#if defined(_MSC_VER) && (defined(_M_X64) || defined(_M_IX86))
#include <immintrin.h>
#include <intrin.h>
#endif

namespace thinc {

#define THINC_DECLARE(isa)    \
  namespace isa {             \
  const KernelTable* table(); \
  }
THINC_DECLARE(base)
#ifdef THINC_HAS_AVX2
THINC_DECLARE(avx2)
#endif
#ifdef THINC_HAS_AVX512
THINC_DECLARE(avx512)
#endif

namespace {

bool cpu_has_avx2() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#elif defined(_M_X64)
  int r[4];
  __cpuid(r, 1);
  bool os_saves_ymm = (r[2] & (1 << 27)) && (_xgetbv(0) & 6) == 6, fma = r[2] & (1 << 12);
  __cpuidex(r, 7, 0);
  return os_saves_ymm && fma && (r[1] & (1 << 5));
#else
  return false;
#endif
}

bool cpu_has_avx512() {
#if defined(__x86_64__) || defined(__i386__)
  return cpu_has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#elif defined(_M_X64)
  int r[4];
  __cpuidex(r, 7, 0);
  const int needed = (1 << 16) | (1 << 17) | (1 << 30) | (1 << 31);  // F DQ BW VL
  return cpu_has_avx2() && (_xgetbv(0) & 0xe6) == 0xe6 && (r[1] & needed) == needed;
#else
  return false;
#endif
}

struct Level {
  const char* name;
  const KernelTable* (*table)();
  bool (*supported)();
};

bool always() { return true; }

const Level levels[] = {
    // from the least to the most demanding
    {"base", base::table, always},
#ifdef THINC_HAS_AVX2
    {"avx2", avx2::table, cpu_has_avx2},
#endif
#ifdef THINC_HAS_AVX512
    {"avx512", avx512::table, cpu_has_avx512},
#endif
};

const Level* current = nullptr;
const KernelTable* current_table = nullptr;

void set_table() {
  const KernelTable* table = current->table();
  current_table = n_threads() > 1 ? with_threads(table) : table;
}

const Level* find(const char* isa) {
  for (const Level& level : levels)
    if (strcmp(level.name, isa) == 0) return &level;
  return nullptr;
}

}  // namespace

const KernelTable* kernels() { return current_table; }
const char* isa_name() { return current->name; }
bool isa_built(const char* isa) { return find(isa) != nullptr; }
bool isa_supported(const char* isa) {
  const Level* level = find(isa);
  return level && level->supported();
}
bool use_isa(const char* isa) {
  const Level* level = find(isa);
  if (!level || !level->supported()) return false;
  current = level;
  set_table();
  return true;
}
void set_num_threads(int n) {
  set_pool_size(n);
  set_table();
}
const char* best_isa() {
  const char* best = "base";
  for (const Level& level : levels)
    if (level.supported()) best = level.name;
  return best;
}

}  // namespace thinc
