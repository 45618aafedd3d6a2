// SQLite's tables of functions over the simulated disk. One process opens it, so locks are always
// granted.
#include "tests/sim/vfs.h"

#include <sqlite3.h>

#include <cstring>
#include <new>

namespace postferry::sim {
namespace {

struct Handle {
  sqlite3_file base;  // first: SQLite sees only this
  Disk* disk;
  std::shared_ptr<Disk::File> file;
};

Handle& handle(sqlite3_file* file) { return *reinterpret_cast<Handle*>(file); }
Disk& disk_of(sqlite3_vfs* vfs) { return *static_cast<Disk*>(vfs->pAppData); }

int close(sqlite3_file* file) {
  handle(file).file.~shared_ptr();
  return SQLITE_OK;
}

int read(sqlite3_file* file, void* into, int amount, sqlite3_int64 offset) {
  const std::string& bytes = handle(file).file->bytes;
  const auto from = static_cast<std::size_t>(offset), count = static_cast<std::size_t>(amount);
  const std::size_t there = from < bytes.size() ? std::min(count, bytes.size() - from) : 0;
  std::memcpy(into, bytes.data() + from, there);
  if (there == count) return SQLITE_OK;
  std::memset(static_cast<char*>(into) + there, 0, count - there);
  return SQLITE_IOERR_SHORT_READ;
}

int write(sqlite3_file* file, const void* data, int amount, sqlite3_int64 offset) {
  const std::string_view bytes(static_cast<const char*>(data), static_cast<std::size_t>(amount));
  Handle& h = handle(file);
  return h.disk->write(*h.file, static_cast<std::size_t>(offset), bytes) ? SQLITE_OK : SQLITE_FULL;
}

int truncate(sqlite3_file* file, sqlite3_int64 size) {
  handle(file).disk->truncate(*handle(file).file, static_cast<std::size_t>(size));
  return SQLITE_OK;
}

int sync(sqlite3_file* file, int) {
  handle(file).disk->sync(*handle(file).file);
  return SQLITE_OK;
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
  *size = static_cast<sqlite3_int64>(handle(file).file->bytes.size());
  return SQLITE_OK;
}

int lock(sqlite3_file*, int) { return SQLITE_OK; }
int check_reserved(sqlite3_file*, int* held) {
  *held = 0;
  return SQLITE_OK;
}
int control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
int sector_size(sqlite3_file*) { return 4096; }
int characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

int shm_map(sqlite3_file* file, int region, int size, int extend, void volatile** into) {
  auto& shared = handle(file).file->shared;
  const auto index = static_cast<std::size_t>(region);
  *into = nullptr;
  if (index >= shared.size() && extend == 0) return SQLITE_OK;
  const auto bytes = static_cast<std::size_t>(size);
  while (shared.size() <= index) shared.push_back({std::make_unique<char[]>(bytes), bytes});
  *into = shared[index].bytes.get();
  return SQLITE_OK;
}
int shm_lock(sqlite3_file*, int, int, int) { return SQLITE_OK; }
void shm_barrier(sqlite3_file*) {}
int shm_unmap(sqlite3_file* file, int) {
  handle(file).file->shared.clear();
  return SQLITE_OK;
}

constexpr sqlite3_io_methods kMethods{
    .iVersion = 2,
    .xClose = close,
    .xRead = read,
    .xWrite = write,
    .xTruncate = truncate,
    .xSync = sync,
    .xFileSize = file_size,
    .xLock = lock,
    .xUnlock = lock,
    .xCheckReservedLock = check_reserved,
    .xFileControl = control,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = characteristics,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  file->pMethods = nullptr;
  auto opened = disk_of(vfs).open(name ? name : "", (flags & SQLITE_OPEN_CREATE) != 0);
  if (!opened) return SQLITE_CANTOPEN;
  Handle& h = handle(file);
  h.disk = &disk_of(vfs);
  new (&h.file) std::shared_ptr<Disk::File>(std::move(opened));
  h.base.pMethods = &kMethods;
  if (out_flags) *out_flags = flags;
  return SQLITE_OK;
}

int remove(sqlite3_vfs* vfs, const char* name, int) {
  disk_of(vfs).remove(name);
  return SQLITE_OK;
}

int access(sqlite3_vfs* vfs, const char* name, int, int* result) {
  *result = disk_of(vfs).exists(name) ? 1 : 0;
  return SQLITE_OK;
}

int full_path(sqlite3_vfs*, const char* name, int size, char* into) {
  sqlite3_snprintf(size, into, "%s", name);
  return SQLITE_OK;
}

int randomness(sqlite3_vfs*, int size, char* into) {
  std::memset(into, 0, static_cast<std::size_t>(size));
  return size;
}
int sleep(sqlite3_vfs*, int us) { return us; }
int current_time(sqlite3_vfs*, sqlite3_int64* now) {
  *now = 212'000'000'000'000;
  return SQLITE_OK;
}
int last_error(sqlite3_vfs*, int, char*) { return 0; }

}  // namespace

std::unique_ptr<sqlite3_vfs> make_vfs(Disk& disk) {
  auto vfs = std::make_unique<sqlite3_vfs>();
  vfs->iVersion = 2;
  vfs->szOsFile = sizeof(Handle);
  vfs->mxPathname = 100;
  vfs->zName = disk.name().c_str();
  vfs->pAppData = &disk;
  vfs->xOpen = open;
  vfs->xDelete = remove;
  vfs->xAccess = access;
  vfs->xFullPathname = full_path;
  vfs->xRandomness = randomness;
  vfs->xSleep = sleep;
  vfs->xCurrentTimeInt64 = current_time;
  vfs->xGetLastError = last_error;
  return vfs;
}

}  // namespace postferry::sim
