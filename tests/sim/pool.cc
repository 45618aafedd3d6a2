// Blocks of one size stand on pages of their own, and free ones hang on a list: to take one and to
// give it back are a few instructions each. Large blocks are malloc's.
#include "tests/sim/pool.h"

#include <sqlite3.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define POSTFERRY_SIM_FOREIGN_HEAP
#endif
#endif

#ifdef POSTFERRY_SIM_FOREIGN_HEAP

namespace postferry::sim {
bool give_sqlite_the_pool() { return true; }
std::size_t live_blocks() { return 0; }
}  // namespace postferry::sim

#else

#include <malloc.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

namespace postferry::sim {
namespace {

constexpr std::size_t kGrain = 16;  // what operator new must align to
constexpr std::size_t kLargest = 8 << 10;
constexpr std::size_t kPage = 64 << 10;
constexpr std::size_t kPages = 1 << 16;  // 4 GiB of addresses; memory comes with use

struct Free {
  Free* next;
};

// Plain data, zero before anything runs: operator new is called by constructors of globals.
struct Pool {
  Free* free[kLargest / kGrain + 1];  // by size, in grains
  std::uint16_t grains[kPages];       // of the blocks on each page
  char* begin;
  std::size_t pages;  // in use
  std::size_t live;
};
constinit Pool pool{};

bool owns(const void* block) {
  return static_cast<std::size_t>(static_cast<const char*>(block) - pool.begin) < kPage * kPages;
}
std::size_t grains_of(const void* block) {
  return pool
      .grains[static_cast<std::size_t>(static_cast<const char*>(block) - pool.begin) / kPage];
}

/// Another page for blocks of this size. False: there is none.
[[gnu::noinline]] bool refill(std::size_t grains) {
  if (pool.begin == nullptr) {
    void* const addresses = mmap(nullptr, kPage * kPages, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (addresses == MAP_FAILED) return false;
    pool.begin = static_cast<char*>(addresses);
  }
  if (pool.pages == kPages) return false;
  char* const page = pool.begin + kPage * pool.pages;
  pool.grains[pool.pages++] = static_cast<std::uint16_t>(grains);
  const std::size_t size = grains * kGrain;
  for (std::size_t at = kPage / size * size; at >= size; at -= size) {
    Free* const block = new (page + at - size) Free;
    block->next = pool.free[grains];
    pool.free[grains] = block;
  }
  return true;
}

void* take(std::size_t size) {
  const std::size_t grains = std::max<std::size_t>(1, (size + kGrain - 1) / kGrain);
  if (grains > kLargest / kGrain) return std::malloc(size);
  if (pool.free[grains] == nullptr && !refill(grains)) return std::malloc(size);
  Free* const block = pool.free[grains];
  pool.free[grains] = block->next;
  return block;
}

void give_back(void* block) {
  if (!owns(block)) return std::free(block);
  Free* const freed = new (block) Free;
  const std::size_t grains = grains_of(block);
  freed->next = pool.free[grains];
  pool.free[grains] = freed;
}

std::size_t size_of(void* block) {
  return owns(block) ? grains_of(block) * kGrain : malloc_usable_size(block);
}

// SQLite's view of it; it never asks for nothing, nor gives nothing back.
int sqlite_size(void* block) { return static_cast<int>(size_of(block)); }
void* sqlite_take(int size) { return take(static_cast<std::size_t>(size)); }
void* sqlite_resize(void* block, int size) {
  const std::size_t had = size_of(block);
  if (static_cast<std::size_t>(size) <= had) return block;
  void* const larger = take(static_cast<std::size_t>(size));
  if (larger == nullptr) return nullptr;
  std::memcpy(larger, block, had);
  give_back(block);
  return larger;
}
int sqlite_round_up(int size) {
  return static_cast<int>((static_cast<std::size_t>(size) + kGrain - 1) / kGrain * kGrain);
}
int sqlite_begin(void*) { return SQLITE_OK; }
void sqlite_end(void*) {}

}  // namespace

bool give_sqlite_the_pool() {
  static sqlite3_mem_methods methods{sqlite_take,     give_back,    sqlite_resize, sqlite_size,
                                     sqlite_round_up, sqlite_begin, sqlite_end,    nullptr};
  return sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) == SQLITE_OK;
}

std::size_t live_blocks() { return pool.live; }

}  // namespace postferry::sim

void* operator new(std::size_t size) {
  void* const block = postferry::sim::take(size);
  if (block == nullptr) throw std::bad_alloc();
  ++postferry::sim::pool.live;
  return block;
}
void operator delete(void* block) noexcept {
  if (block == nullptr) return;
  --postferry::sim::pool.live;
  postferry::sim::give_back(block);
}
void operator delete(void* block, std::size_t) noexcept { operator delete(block); }

#endif
