// For tests: an SQLite VFS over a disk in memory that can lose its power, run full, and tell how much was
// written.
//
// Every operation is logged, so that one run of a script gives the disk as it might be found after a power
// cut at any of its operations. Synced bytes are kept; of each write since, any subset of its 512-byte
// sectors may have arrived, in any combination with other writes. Names follow POSIX: a new file is sure to
// be found only after its folder was synced, and SQLite's Unix VFS does so at the first sync of a new journal
// or WAL, and where a deletion asks for it.
//
// Shared memory for the WAL index is plain memory, gone after a cut; so the ledger runs with its production
// settings. One connection at a time, hence no locks.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <sqlite3.h>

#include "base/random.h"

namespace messina::state::testing {

inline constexpr std::size_t kSector = 512;

/// What the disk pretends about syncs.
enum class Syncs : std::uint8_t { honest, ignored, ignored_for_wal };

class Disk {
 public:
  using Image = std::map<std::string, std::string>;  ///< the files by name

  /// Registers a VFS under a name of its own.
  explicit Disk(Image image = {}) {
    static std::atomic<int> counter = 0;
    vfs_name_ = "messina-test-" + std::to_string(++counter);
    std::uint64_t seed = 1;
    for (auto& [name, bytes] : image) {
      names_[name] = contents_.size();
      seed = seed * 31 + std::hash<std::string>()(bytes);
      contents_.push_back(std::move(bytes));
    }
    random_ = Random(seed);  // a later life of the disk draws other numbers
    first_names_ = names_;
    first_contents_ = contents_;
    vfs_.iVersion = 2;
    vfs_.szOsFile = sizeof(File);
    vfs_.mxPathname = 512;
    vfs_.zName = vfs_name_.c_str();
    vfs_.pAppData = this;
    vfs_.xOpen = &Disk::open;
    vfs_.xDelete = &Disk::remove;
    vfs_.xAccess = &Disk::access;
    vfs_.xFullPathname = &Disk::full_pathname;
    vfs_.xRandomness = &Disk::randomness;
    vfs_.xSleep = [](sqlite3_vfs*, int microseconds) { return microseconds; };
    vfs_.xCurrentTimeInt64 = [](sqlite3_vfs*, sqlite3_int64* now) {
      *now = 212'000'000'000'000;
      return SQLITE_OK;
    };
    vfs_.xGetLastError = [](sqlite3_vfs*, int, char*) { return 0; };
    sqlite3_vfs_register(&vfs_, 0);
  }
  ~Disk() { sqlite3_vfs_unregister(&vfs_); }
  Disk(const Disk&) = delete;
  Disk& operator=(const Disk&) = delete;

  const std::string& vfs() const { return vfs_name_; }
  /// Operations so far: a power cut can be had after each of them.
  std::size_t operations() const { return log_.size(); }
  std::uint64_t bytes_written() const { return bytes_written_; }

  /// The files as they may be found after a power cut behind the first `operations` operations.
  Image after_power_cut(std::size_t operations, Random& random) const;

  // Faults; set them between calls.
  Syncs syncs = Syncs::honest;
  bool logging = true;  ///< off for big files: then there is no power cut to be had
  /// Writes and syncs (counted together) before the first that fails, and how many fail from there on.
  std::uint64_t good_calls = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t bad_calls = 0;
  std::uint64_t faults = 0;           ///< calls that were made to fail
  std::function<void()> before_sync;  ///< called on the thread that syncs

 private:
  struct Operation {
    enum class Kind : std::uint8_t { write, truncate, sync, create, remove, sync_folder } kind;
    std::size_t inode = 0;
    std::string name;
    std::size_t offset = 0;  ///< truncate: the size
    std::string data;
  };
  using Shm = std::vector<std::unique_ptr<char[]>>;
  struct File {
    sqlite3_file base;
    Disk* disk;
    std::size_t inode;
    bool delete_on_close;
    bool sync_folder;  ///< at the next sync
    const char* name;
  };

  static Disk& of(sqlite3_vfs* vfs) { return *static_cast<Disk*>(vfs->pAppData); }
  static File& of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }
  static const sqlite3_io_methods* methods();

  static int open(sqlite3_vfs* vfs, sqlite3_filename name, sqlite3_file* file, int flags, int* out_flags) {
    Disk& disk = of(vfs);
    File& opened = of(file);
    opened = {{nullptr}, &disk, 0, (flags & SQLITE_OPEN_DELETEONCLOSE) != 0, false, name};
    const auto found = name == nullptr ? disk.names_.end() : disk.names_.find(name);
    if (found != disk.names_.end()) {
      opened.inode = found->second;
    } else {
      if (name != nullptr && (flags & SQLITE_OPEN_CREATE) == 0) return SQLITE_CANTOPEN;
      opened.inode = disk.contents_.size();
      disk.contents_.emplace_back();
      if (name != nullptr) {
        disk.names_[name] = opened.inode;
        disk.record({Operation::Kind::create, opened.inode, name, 0, {}});
        opened.sync_folder = (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL)) != 0;
      }
    }
    if (out_flags != nullptr) *out_flags = flags;
    opened.base.pMethods = methods();
    return SQLITE_OK;
  }

  static int remove(sqlite3_vfs* vfs, const char* name, int sync_folder) {
    Disk& disk = of(vfs);
    if (disk.names_.erase(name) == 0) return SQLITE_IOERR_DELETE_NOENT;
    disk.record({Operation::Kind::remove, 0, name, 0, {}});
    if (sync_folder != 0 && disk.syncs == Syncs::honest)
      disk.record({Operation::Kind::sync_folder, 0, {}, 0, {}});
    return SQLITE_OK;
  }

  static int access(sqlite3_vfs* vfs, const char* name, int, int* result) {
    *result = of(vfs).names_.contains(name) ? 1 : 0;
    return SQLITE_OK;
  }

  static int full_pathname(sqlite3_vfs*, const char* name, int size, char* out) {
    sqlite3_snprintf(size, out, "%s", name);
    return SQLITE_OK;
  }

  static int randomness(sqlite3_vfs* vfs, int size, char* out) {
    for (int i = 0; i < size; ++i) out[i] = static_cast<char>(of(vfs).random_.next());
    return size;
  }

  void record(Operation operation) {
    if (logging) log_.push_back(std::move(operation));
  }
  bool fails() {
    if (good_calls > 0) {
      if (good_calls != std::numeric_limits<std::uint64_t>::max()) --good_calls;
      return false;
    }
    if (bad_calls == 0) return false;
    --bad_calls;
    ++faults;
    return true;
  }

  static void put(std::string& bytes, std::size_t offset, std::string_view data, char fill) {
    if (bytes.size() < offset + data.size()) bytes.resize(offset + data.size(), fill);
    bytes.replace(offset, data.size(), data);
  }
  void write(std::size_t inode, std::size_t offset, std::string_view data) {
    put(contents_[inode], offset, data, '\0');
    bytes_written_ += data.size();
    record({Operation::Kind::write, inode, {}, offset, std::string(data)});
  }

  /// Does to `bytes` what may have become of an operation that was not synced; `chance` is each sector's.
  static void perhaps(std::string& bytes, const Operation& operation, double chance, char fill,
                      Random& random) {
    if (operation.kind == Operation::Kind::truncate) {
      if (random.chance(chance)) bytes.resize(operation.offset, fill);
      return;
    }
    std::size_t at = operation.offset;
    const std::size_t end = at + operation.data.size();
    while (at < end) {
      const std::size_t sector_end = std::min(end, (at / kSector + 1) * kSector);
      if (random.chance(chance)) {
        put(bytes, at, std::string_view(operation.data).substr(at - operation.offset, sector_end - at), fill);
      }
      at = sector_end;
    }
  }
  static void rename(std::map<std::string, std::size_t>& names, const Operation& operation) {
    if (operation.kind == Operation::Kind::create) {
      names[operation.name] = operation.inode;
    } else {
      names.erase(operation.name);
    }
  }

  std::string vfs_name_;
  sqlite3_vfs vfs_{};
  Random random_{1};
  std::map<std::string, std::size_t> names_, first_names_;
  std::vector<std::string> contents_, first_contents_;  ///< by inode
  std::map<std::size_t, Shm> shm_;
  std::vector<Operation> log_;
  std::uint64_t bytes_written_ = 0;
};

inline Disk::Image Disk::after_power_cut(std::size_t operations, Random& random) const {
  std::map<std::string, std::size_t> names = first_names_;
  std::map<std::size_t, std::string> contents;
  for (std::size_t inode = 0; inode < first_contents_.size(); ++inode)
    contents[inode] = first_contents_[inode];
  std::map<std::size_t, std::vector<const Operation*>> unsynced;
  std::vector<const Operation*> unsynced_names;

  for (std::size_t i = 0; i < operations; ++i) {
    const Operation& operation = log_[i];
    switch (operation.kind) {
      case Operation::Kind::write:
      case Operation::Kind::truncate:
        unsynced[operation.inode].push_back(&operation);
        break;
      case Operation::Kind::create:
      case Operation::Kind::remove:
        unsynced_names.push_back(&operation);
        break;
      case Operation::Kind::sync:
        for (const Operation* each : unsynced[operation.inode]) {
          perhaps(contents[operation.inode], *each, 1, '\0', random);
        }
        unsynced.erase(operation.inode);
        break;
      case Operation::Kind::sync_folder:
        for (const Operation* each : unsynced_names) rename(names, *each);
        unsynced_names.clear();
        break;
    }
  }

  const auto any_chance = [&random] {
    static constexpr double kChances[] = {0, 0.2, 0.5, 0.9, 1};
    return kChances[random.below(std::size(kChances))];
  };
  for (const auto& [inode, pending] : unsynced) {
    const double chance = any_chance();
    const char fill = random.chance(0.5) ? '\0' : static_cast<char>(random.next());
    for (const Operation* each : pending) perhaps(contents[inode], *each, chance, fill, random);
  }
  const double chance = any_chance();
  for (const Operation* each : unsynced_names) {
    if (random.chance(chance)) rename(names, *each);
  }
  Image image;
  for (const auto& [name, inode] : names) image[name] = contents[inode];
  return image;
}

inline const sqlite3_io_methods* Disk::methods() {
  static const sqlite3_io_methods kMethods = [] {
    sqlite3_io_methods m{};
    m.iVersion = 2;  // 2: with shared memory
    m.xClose = [](sqlite3_file* f) {
      File& file = of(f);
      if (file.delete_on_close && file.name != nullptr) file.disk->names_.erase(file.name);
      return SQLITE_OK;
    };
    m.xRead = [](sqlite3_file* f, void* out, int size, sqlite3_int64 offset) {
      const std::string& bytes = of(f).disk->contents_[of(f).inode];
      const auto wanted = static_cast<std::size_t>(size);
      const std::size_t at = std::min(static_cast<std::size_t>(offset), bytes.size());
      const std::size_t got = std::min(wanted, bytes.size() - at);
      std::memcpy(out, bytes.data() + at, got);
      std::memset(static_cast<char*>(out) + got, 0, wanted - got);
      return got == wanted ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
    };
    m.xWrite = [](sqlite3_file* f, const void* data, int size, sqlite3_int64 offset) {
      File& file = of(f);
      const bool full = file.disk->fails();
      // A full disk takes the first part of a write.
      const auto taken = static_cast<std::size_t>(full ? size / 2 : size);
      file.disk->write(file.inode, static_cast<std::size_t>(offset), {static_cast<const char*>(data), taken});
      return full ? SQLITE_FULL : SQLITE_OK;
    };
    m.xTruncate = [](sqlite3_file* f, sqlite3_int64 size) {
      File& file = of(f);
      file.disk->contents_[file.inode].resize(static_cast<std::size_t>(size));
      file.disk->record({Operation::Kind::truncate, file.inode, {}, static_cast<std::size_t>(size), {}});
      return SQLITE_OK;
    };
    m.xSync = [](sqlite3_file* f, int) {
      File& file = of(f);
      Disk& disk = *file.disk;
      if (disk.before_sync) disk.before_sync();
      if (disk.fails()) return SQLITE_IOERR_FSYNC;
      const bool is_wal = file.name != nullptr && std::string_view(file.name).ends_with("-wal");
      if (disk.syncs == Syncs::ignored || (disk.syncs == Syncs::ignored_for_wal && is_wal)) return SQLITE_OK;
      disk.record({Operation::Kind::sync, file.inode, {}, 0, {}});
      if (std::exchange(file.sync_folder, false)) disk.record({Operation::Kind::sync_folder, 0, {}, 0, {}});
      return SQLITE_OK;
    };
    m.xFileSize = [](sqlite3_file* f, sqlite3_int64* size) {
      *size = std::ssize(of(f).disk->contents_[of(f).inode]);
      return SQLITE_OK;
    };
    m.xLock = [](sqlite3_file*, int) { return SQLITE_OK; };
    m.xUnlock = [](sqlite3_file*, int) { return SQLITE_OK; };
    m.xCheckReservedLock = [](sqlite3_file*, int* result) {
      *result = 0;
      return SQLITE_OK;
    };
    m.xFileControl = [](sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; };
    m.xSectorSize = [](sqlite3_file*) { return 4096; };
    // As SQLite's Unix VFS: a torn write leaves its neighbours alone.
    m.xDeviceCharacteristics = [](sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; };
    m.xShmMap = [](sqlite3_file* f, int region, int size, int extend, void volatile** out) {
      Shm& regions = of(f).disk->shm_[of(f).inode];
      const auto index = static_cast<std::size_t>(region);
      while (extend != 0 && regions.size() <= index) {
        regions.push_back(std::make_unique<char[]>(static_cast<std::size_t>(size)));
      }
      *out = index < regions.size() ? regions[index].get() : nullptr;
      return SQLITE_OK;
    };
    m.xShmLock = [](sqlite3_file*, int, int, int) { return SQLITE_OK; };
    m.xShmBarrier = [](sqlite3_file*) { std::atomic_thread_fence(std::memory_order_seq_cst); };
    m.xShmUnmap = [](sqlite3_file* f, int delete_it) {
      if (delete_it != 0) of(f).disk->shm_.erase(of(f).inode);
      return SQLITE_OK;
    };
    return m;
  }();
  return &kMethods;
}

}  // namespace messina::state::testing
