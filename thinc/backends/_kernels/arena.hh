// Memory of the arrays that the wrappers allocate. It starts on a cache line: a load of 64 bytes that lies across two
// costs as much as two. And a thread keeps what it frees for its next arrays, so that their pages stay mapped: the
// temporaries of one batch are those of the next.
//
// What all threads keep together has one bound. A thread keeps what it took itself; what another took goes back to the
// system, or a consumer of what others produce would keep it all. Everything goes back when its thread ends, or when
// any thread asks for it.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef _WIN32
#include <malloc.h>
#else
#include <pthread.h>
#include <sys/mman.h>
#endif

#include <atomic>
#include <new>

namespace thinc {
namespace {

constexpr size_t arena_line = 64;
#ifdef __SANITIZE_ADDRESS__
constexpr size_t arena_most = 0;           // a block that is kept hides its use after being freed,
constexpr size_t arena_mapped = SIZE_MAX;  // a mapping what lies beyond its end
#else
constexpr size_t arena_most = size_t(256) << 20;    // bytes that all threads keep
constexpr size_t arena_mapped = size_t(128) << 10;  // bytes of the smallest mapping
#endif

// Sizes are rounded up to four an octave: class c has blocks of (4 + c % 4) * 2^(c / 4) bytes.
constexpr size_t arena_largest = SIZE_MAX >> (sizeof(size_t) > 4 ? 17 : 1);  // more than the address space has
constexpr size_t arena_classes = 4 * 46;

struct Arena;

struct Block {  // on the cache line before the data
  size_t size_class;
  bool mapped;
  Block* next;         // of those that are kept
  const Arena* owner;  // of the thread that took it

  size_t bytes() const { return (4 + size_class % 4) << (size_class / 4); }
  void* data() { return reinterpret_cast<char*>(this) + arena_line; }
  static Block* of(void* data) { return reinterpret_cast<Block*>(static_cast<char*>(data) - arena_line); }
};

size_t arena_class(size_t bytes) {
  size_t shift = 0;
#ifdef __GNUC__
  if (bytes > 8) shift = size_t(61 - __builtin_clzll(bytes - 1));
#else
  while ((bytes - 1) >> shift >= 8) ++shift;
#endif
  return 4 * shift + ((bytes - 1) >> shift) - 3;
}

// Large blocks are mappings of their own: freed, they go back to the system.
Block* arena_allocate(size_t size_class) {
  const Block head = {size_class, false, nullptr, nullptr};
  const size_t bytes = head.bytes(), lines = (bytes + arena_line - 1) / arena_line * arena_line;
  void* block = nullptr;
#ifdef _WIN32
  block = _aligned_malloc(lines, arena_line);
  if (!block) return nullptr;
#else
  if (bytes >= arena_mapped) {
    block = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block != MAP_FAILED) {
#ifdef MADV_HUGEPAGE  // as NumPy does: fewer faults, fewer misses of the translation buffer
      if (bytes >= size_t(4) << 20) madvise(block, bytes, MADV_HUGEPAGE);
#endif
      return new (block) Block{size_class, true, nullptr, nullptr};
    }
  }
  if (posix_memalign(&block, arena_line, lines)) return nullptr;  // also when there are too many mappings
#endif
  return new (block) Block(head);
}

void arena_release(Block* block) {
#ifdef _WIN32
  _aligned_free(block);
#else
  if (block->mapped)
    munmap(block, block->bytes());
  else
    free(block);
#endif
}

// Held for some instructions at a time.
struct Spin {
  std::atomic<bool>& taken;
  explicit Spin(std::atomic<bool>& flag) : taken(flag) {
    while (taken.exchange(true, std::memory_order_acquire)) {
    }
  }
  ~Spin() { taken.store(false, std::memory_order_release); }
};

std::atomic<size_t> arena_kept{0};  // bytes, by all threads

struct Arena {
  std::atomic<bool> busy;  // guards what follows: another thread may empty it
  Block* kept[arena_classes];
  size_t bytes;
  bool listed, closed;  // closed: the thread ends, and what is freed from now on is not kept
  Arena *next, *before;

  // Returns the number of bytes.
  size_t empty() {
    const Spin held(busy);
    for (Block*& first : kept) {
      while (first) {
        Block* after = first->next;
        arena_release(first);
        first = after;
      }
    }
    const size_t freed = bytes;
    arena_kept.fetch_sub(freed, std::memory_order_relaxed);
    bytes = 0;
    return freed;
  }

  Block* take(size_t size_class) {
    const Spin held(busy);
    Block* block = kept[size_class];
    if (block) {
      kept[size_class] = block->next;
      bytes -= block->bytes();
      arena_kept.fetch_sub(block->bytes(), std::memory_order_relaxed);
    }
    return block;
  }

  void keep(Block* block) {
    const Spin held(busy);
    block->next = kept[block->size_class];
    kept[block->size_class] = block;
    bytes += block->bytes();
    arena_kept.fetch_add(block->bytes(), std::memory_order_relaxed);
  }
};
thread_local Arena arena;  // of zeros, and without a destructor: arrays may outlive it

// The arenas of all threads that keep something.
std::atomic<bool> arenas_busy{false};
Arena* arenas = nullptr;

// Returns the number of bytes. Large blocks are the system's again; of small ones the heap keeps some.
size_t arena_release_all() {
  const Spin held(arenas_busy);
  size_t freed = 0;
  for (Arena* a = arenas; a; a = a->next) freed += a->empty();
  return freed;
}

#ifndef _WIN32
void forget_arenas() {  // a forked process has one thread; the others may have been in the middle of something
  arenas_busy = false;
  arena_kept = arena.bytes;
  arenas = arena.listed ? &arena : nullptr;
  arena.next = arena.before = nullptr;
}
#endif

struct ListedArena {  // while its thread lives
  ListedArena() {
#ifndef _WIN32
    static const int forgets = pthread_atfork(nullptr, nullptr, forget_arenas);
    (void)forgets;
#endif
    const Spin held(arenas_busy);
    arena.next = arenas;
    if (arenas) arenas->before = &arena;
    arenas = &arena;
    arena.listed = true;
  }
  ~ListedArena() {
    {
      const Spin held(arenas_busy);
      (arena.before ? arena.before->next : arenas) = arena.next;
      if (arena.next) arena.next->before = arena.before;
      arena.listed = false;
    }
    arena.empty();
    arena.closed = true;
  }
};

// Null if there is no memory.
void* arena_take(size_t bytes) {
  if (bytes > arena_largest) return nullptr;
  const size_t size_class = arena_class(bytes + arena_line);
  Block* block = arena.take(size_class);
  if (!block) block = arena_allocate(size_class);
  if (!block && arena_release_all()) block = arena_allocate(size_class);
  if (!block) return nullptr;
  block->owner = &arena;
  return block->data();
}

void arena_give(void* data) {
  if (!data) return;
  Block* block = Block::of(data);
  const size_t bytes = block->bytes();
  if (arena.closed || block->owner != &arena || bytes > arena_most / 4) return arena_release(block);
  static thread_local ListedArena listed;
  (void)&listed;
  if (arena_kept.load(std::memory_order_relaxed) + bytes > arena_most)
    arena_release_all();  // of threads that wait, and of sizes that are no longer asked for
  arena.keep(block);
}

}  // namespace
}  // namespace thinc
