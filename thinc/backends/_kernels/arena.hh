// Memory of the arrays that the wrappers allocate. It starts on a cache line: a load of 64 bytes that lies across two
// costs as much as two. And a thread keeps what it frees for its next arrays, so that their pages stay mapped: the
// temporaries of one batch are those of the next.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef _WIN32
#include <malloc.h>
#else
#include <sys/mman.h>
#endif

#include <new>

namespace thinc {
namespace {

constexpr size_t arena_line = 64;
#ifdef __SANITIZE_ADDRESS__
constexpr size_t arena_most = 0;           // a block that is kept hides its use after being freed,
constexpr size_t arena_mapped = SIZE_MAX;  // a mapping what lies beyond its end
#else
constexpr size_t arena_most = size_t(256) << 20;    // bytes that a thread keeps
constexpr size_t arena_mapped = size_t(128) << 10;  // bytes of the smallest mapping
#endif

// Sizes are rounded up to four an octave: class c has blocks of (4 + c % 4) * 2^(c / 4) bytes.
constexpr size_t arena_largest = SIZE_MAX >> (sizeof(size_t) > 4 ? 17 : 1);  // more than the address space has
constexpr size_t arena_classes = 4 * 46;

struct Block {  // on the cache line before the data
  size_t size_class;
  bool mapped;
  Block* next;  // of those that are kept

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
  const Block head = {size_class, false, nullptr};
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
      return new (block) Block{size_class, true, nullptr};
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

struct Arena {
  Block* kept[arena_classes];
  size_t bytes;
  bool closed;  // the thread ends: what is freed from now on is not kept

  void empty() {
    for (Block*& first : kept) {
      while (first) {
        Block* next = first->next;
        arena_release(first);
        first = next;
      }
    }
    bytes = 0;
  }
};
thread_local Arena arena;  // of zeros, and without a destructor: arrays may outlive it

struct CloseArena {
  ~CloseArena() {
    arena.empty();
    arena.closed = true;
  }
};

// Null if there is no memory.
void* arena_take(size_t bytes) {
  if (bytes > arena_largest) return nullptr;
  const size_t size_class = arena_class(bytes + arena_line);
  Block* block = arena.kept[size_class];
  if (block) {
    arena.kept[size_class] = block->next;
    arena.bytes -= block->bytes();
    return block->data();
  }
  block = arena_allocate(size_class);
  if (!block && arena.bytes) {
    arena.empty();
    block = arena_allocate(size_class);
  }
  return block ? block->data() : nullptr;
}

void arena_give(void* data) {
  if (!data) return;
  static thread_local CloseArena close_at_exit;
  (void)&close_at_exit;
  Block* block = Block::of(data);
  const size_t bytes = block->bytes();
  if (arena.closed || bytes > arena_most / 4) return arena_release(block);
  if (arena.bytes + bytes > arena_most) arena.empty();  // of sizes that are no longer asked for
  block->next = arena.kept[block->size_class];
  arena.kept[block->size_class] = block;
  arena.bytes += bytes;
}

}  // namespace
}  // namespace thinc
