// For tests: a file system under RocksDB that loses what was not synced, or has no room.
//
// Of each file a cut leaves what was synced and any part of what was appended since, in order; a file whose
// folder was not synced since it was made may be gone. Renames and deletions are durable at once.
#pragma once
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include "base/random.h"
#include "state/spool.h"

namespace messina::state::testing {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

/// The state of the disk, shared by its files.
struct Power {
  struct File {
    std::uint64_t size = 0, synced = 0;
    bool named = false;  ///< its folder was synced since it was made
  };
  std::mutex mutex;
  std::map<std::string, File> files;
  std::atomic<std::int64_t> operations_left = std::numeric_limits<std::int64_t>::max();
  std::atomic<std::int64_t> room = std::numeric_limits<std::int64_t>::max();

  /// One operation; an error once the power is gone.
  IOStatus operation() {
    return operations_left.fetch_sub(1) > 0 ? IOStatus::OK() : IOStatus::IOError("the power is gone");
  }
  IOStatus append(const std::string& name, std::size_t bytes) {
    if (auto on = operation(); !on.ok()) return on;
    const auto size = static_cast<std::int64_t>(bytes);
    if (room.load() < size) return IOStatus::NoSpace("the disk is full");
    room -= size;
    const std::lock_guard lock(mutex);
    files[name].size += bytes;
    return IOStatus::OK();
  }
  IOStatus sync(const std::string& name) {
    if (auto on = operation(); !on.ok()) return on;
    const std::lock_guard lock(mutex);
    files[name].synced = files[name].size;
    return IOStatus::OK();
  }
  /// The disk as the next process finds it.
  void cut(Random& random) {
    const std::lock_guard lock(mutex);
    for (const auto& [name, file] : files) {
      if (!std::filesystem::exists(name)) continue;
      if (!file.named && random.chance(0.5)) {
        std::filesystem::remove(name);
      } else {
        std::filesystem::resize_file(name, file.synced + random.below(file.size - file.synced + 1));
      }
    }
    files.clear();
    operations_left = std::numeric_limits<std::int64_t>::max();
  }
};

class File final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  File(std::unique_ptr<rocksdb::FSWritableFile>&& file, std::string name, std::shared_ptr<Power> power)
      : FSWritableFileOwnerWrapper(std::move(file)), name_(std::move(name)), power_(std::move(power)) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* context) override {
    if (auto on = power_->append(name_, data.size()); !on.ok()) return on;
    return FSWritableFileOwnerWrapper::Append(data, options, context);
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo&,
                  IODebugContext* context) override {
    return Append(data, options, context);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* context) override {
    if (auto done = FSWritableFileOwnerWrapper::Flush(options, context); !done.ok()) return done;
    return power_->sync(name_);
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* context) override {
    return Sync(options, context);
  }
  IOStatus RangeSync(std::uint64_t, std::uint64_t, const IOOptions&, IODebugContext*) override {
    return IOStatus::OK();  // promises nothing
  }

 private:
  const std::string name_;
  const std::shared_ptr<Power> power_;
};

class Folder final : public rocksdb::FSDirectoryWrapper {
 public:
  Folder(std::unique_ptr<rocksdb::FSDirectory>&& folder, std::string name, std::shared_ptr<Power> power)
      : FSDirectoryWrapper(std::move(folder)), name_(std::move(name)), power_(std::move(power)) {}
  IOStatus Fsync(const IOOptions&, IODebugContext*) override { return named(); }
  IOStatus FsyncWithDirOptions(const IOOptions&, IODebugContext*, const rocksdb::DirFsyncOptions&) override {
    return named();
  }

 private:
  IOStatus named() {
    if (auto on = power_->operation(); !on.ok()) return on;
    const std::lock_guard lock(power_->mutex);
    for (auto& [name, file] : power_->files) file.named = file.named || name.starts_with(name_);
    return IOStatus::OK();
  }
  const std::string name_;
  const std::shared_ptr<Power> power_;
};

class Files final : public rocksdb::FileSystemWrapper {
 public:
  explicit Files(std::shared_ptr<Power> power)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), power_(std::move(power)) {}
  const char* Name() const override { return "power"; }

  IOStatus NewWritableFile(const std::string& name, const FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* file, IODebugContext* context) override {
    if (auto on = power_->operation(); !on.ok()) return on;
    std::unique_ptr<rocksdb::FSWritableFile> made;
    if (auto done = FileSystemWrapper::NewWritableFile(name, options, &made, context); !done.ok())
      return done;
    {
      const std::lock_guard lock(power_->mutex);
      power_->files[name] = {};
    }
    *file = std::make_unique<File>(std::move(made), name, power_);
    return IOStatus::OK();
  }
  IOStatus ReuseWritableFile(const std::string& name, const std::string&, const FileOptions& options,
                             std::unique_ptr<rocksdb::FSWritableFile>* file,
                             IODebugContext* context) override {
    return NewWritableFile(name, options, file, context);
  }
  IOStatus NewDirectory(const std::string& name, const IOOptions& options,
                        std::unique_ptr<rocksdb::FSDirectory>* folder, IODebugContext* context) override {
    std::unique_ptr<rocksdb::FSDirectory> made;
    if (auto done = FileSystemWrapper::NewDirectory(name, options, &made, context); !done.ok()) return done;
    *folder = std::make_unique<Folder>(std::move(made), name, power_);
    return IOStatus::OK();
  }
  IOStatus DeleteFile(const std::string& name, const IOOptions& options, IODebugContext* context) override {
    if (auto on = power_->operation(); !on.ok()) return on;
    {
      const std::lock_guard lock(power_->mutex);
      const auto file = power_->files.extract(name);
      if (!file.empty()) power_->room += static_cast<std::int64_t>(file.mapped().size);
    }
    return FileSystemWrapper::DeleteFile(name, options, context);
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* context) override {
    if (auto on = power_->operation(); !on.ok()) return on;
    {
      const std::lock_guard lock(power_->mutex);
      auto file = power_->files.extract(from);
      if (!file.empty()) {
        power_->files.erase(to);
        file.key() = to;
        file.mapped().named = true;
        power_->files.insert(std::move(file));
      }
    }
    return FileSystemWrapper::RenameFile(from, to, options, context);
  }

 private:
  const std::shared_ptr<Power> power_;
};

/// Of a spool on such a disk; `env` outlives it.
inline SpoolOptions on(rocksdb::Env& env) {
  SpoolOptions options;
  options.env = &env;
  options.reserve_bytes = 0;
  options.rewrite_queue_from = 200;
  return options;
}

}  // namespace messina::state::testing
