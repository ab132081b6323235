// Which kernel table this process uses. Chosen by what the CPU can do, never by its name: an unknown CPU that has the
// features gets the level, and one without them gets `base`.
#include <string.h>

#include <atomic>
#include <mutex>

#include "thinc/table.hh"
#include "threads.hh"

#if defined(_MSC_VER) && (defined(_M_X64) || defined(_M_IX86))
#include <immintrin.h>
#include <intrin.h>
#elif defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace thinc {

#define THINC_DECLARE(isa)    \
  namespace isa {             \
  const KernelTable* table(); \
  }
#define THINC_DECLARE_INT8(isa)                 \
  namespace isa {                               \
  void use_int8_products(WeightKernels* table); \
  }
THINC_DECLARE(base)
#ifdef THINC_HAS_AVX2
THINC_DECLARE(avx2)
#endif
#ifdef THINC_HAS_AVX512
THINC_DECLARE(avx512)
#endif
#ifdef THINC_HAS_AVX2_VNNI
THINC_DECLARE_INT8(avx2_vnni)
#endif
#ifdef THINC_HAS_AVX512_VNNI
THINC_DECLARE_INT8(avx512_vnni)
#endif
#ifdef THINC_HAS_DOTPROD
THINC_DECLARE_INT8(dotprod)
#endif

namespace {

#if defined(__x86_64__) || defined(__i386__)
// One bit of what CPUID says: register 0 to 3 is EAX, EBX, ECX, EDX.
bool cpuid_bit(unsigned leaf, unsigned subleaf, int reg, int bit) {
  unsigned r[4] = {0, 0, 0, 0};
  return __get_cpuid_count(leaf, subleaf, &r[0], &r[1], &r[2], &r[3]) && (r[reg] >> bit & 1);
}
#endif

#ifdef THINC_HAS_AVX2
bool cpu_has_avx2() {  // with FMA and F16C
#if defined(__x86_64__) || defined(__i386__)
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && cpuid_bit(1, 0, 2, 29);
#elif defined(_M_X64)
  int r[4];
  __cpuid(r, 1);
  bool os_saves_ymm = (r[2] & (1 << 27)) && (_xgetbv(0) & 6) == 6, fma = r[2] & (1 << 12), f16c = r[2] & (1 << 29);
  __cpuidex(r, 7, 0);
  return os_saves_ymm && fma && f16c && (r[1] & (1 << 5));
#else
  return false;
#endif
}
#endif

#ifdef THINC_HAS_AVX512
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
#endif

#ifdef THINC_HAS_AVX2_VNNI
bool cpu_has_avx2_vnni() { return cpu_has_avx2() && cpuid_bit(7, 1, 0, 4); }
#endif
#ifdef THINC_HAS_AVX512_VNNI
bool cpu_has_avx512_vnni() { return cpu_has_avx512() && __builtin_cpu_supports("avx512vnni"); }
#endif
#ifdef THINC_HAS_DOTPROD
bool cpu_has_dotprod() {
#ifdef __linux__
  return getauxval(AT_HWCAP) >> 20 & 1;
#else
  return true;  // every Mac with an ARM
#endif
}
#endif

struct Level {
  const char* name;
  const KernelTable* (*table)();
  bool (*supported)();
  void (*use_int8_products)(WeightKernels* table);  // in place of those of the table, if any
};

bool always() { return true; }

#if defined(THINC_HAS_AVX512) && defined(THINC_HAS_AVX2)
// Without VNNI, three ports for 32 bytes do more than two for 64.
void use_avx2_int8_products(WeightKernels* table) { *table = avx2::table()->int8; }
#endif

const Level levels[] = {
    // from the least to the most demanding
    {"base", base::table, always, nullptr},
#ifdef THINC_HAS_DOTPROD
    {"dotprod", base::table, cpu_has_dotprod, dotprod::use_int8_products},
#endif
#ifdef THINC_HAS_AVX2
    {"avx2", avx2::table, cpu_has_avx2, nullptr},
#endif
#ifdef THINC_HAS_AVX2_VNNI
    {"avx2_vnni", avx2::table, cpu_has_avx2_vnni, avx2_vnni::use_int8_products},
#endif
#ifdef THINC_HAS_AVX512
    {"avx512", avx512::table, cpu_has_avx512, use_avx2_int8_products},
#endif
#ifdef THINC_HAS_AVX512_VNNI
    {"avx512_vnni", avx512::table, cpu_has_avx512_vnni, avx512_vnni::use_int8_products},
#endif
};

// Read by kernels that run and callers that are about to, so none of this is ever rewritten: a change is one pointer.
constexpr size_t n_levels = sizeof levels / sizeof *levels;
KernelTable alone[n_levels], threaded[n_levels];
std::atomic<const Level*> current{nullptr};
std::atomic<const KernelTable*> current_table{nullptr};
std::mutex changes;

void set_table(const Level* level) {
  static const bool made = [] {
    for (size_t i = 0; i < n_levels; ++i) {
      if (!levels[i].supported()) continue;
      alone[i] = *levels[i].table();
      if (levels[i].use_int8_products) levels[i].use_int8_products(&alone[i].int8);
      make_threaded(&threaded[i], &alone[i]);
    }
    return true;
  }();
  (void)made;
  const size_t i = size_t(level - levels);
  use_plain(&alone[i]);
  current.store(level, std::memory_order_release);
  current_table.store(n_threads() > 1 ? &threaded[i] : &alone[i], std::memory_order_release);
}

const Level* find(const char* isa) {
  for (const Level& level : levels)
    if (strcmp(level.name, isa) == 0) return &level;
  return nullptr;
}

}  // namespace

const KernelTable* kernels() { return current_table.load(std::memory_order_acquire); }
const char* isa_name() { return current.load(std::memory_order_acquire)->name; }
bool isa_built(const char* isa) { return find(isa) != nullptr; }
bool isa_supported(const char* isa) {
  const Level* level = find(isa);
  return level && level->supported();
}
bool use_isa(const char* isa) {
  const Level* level = find(isa);
  if (!level || !level->supported()) return false;
  const std::lock_guard<std::mutex> lock(changes);
  set_table(level);
  return true;
}
void set_num_threads(int n) {
  const std::lock_guard<std::mutex> lock(changes);
  set_pool_size(n);
  set_table(current.load(std::memory_order_acquire));
}
const char* best_isa() {
  const char* best = "base";
  for (const Level& level : levels)
    if (level.supported()) best = level.name;
  return best;
}

}  // namespace thinc
