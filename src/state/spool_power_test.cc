// Power cuts and full disks under the spool: RocksDB on a file system that loses what was not synced, or has
// no room.
//
// Of each file a cut leaves what was synced and any part of what was appended since, in order; a file whose
// folder was not synced since it was made may be gone. Renames and deletions are durable at once.
#include <atomic>
#include <map>
#include <mutex>

#include <gtest/gtest.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include "state/spool_model.h"
#include "state/spool_test_support.h"

namespace messina::state {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;
using testing::image;
using testing::kStream;
using testing::SpoolOnDisk;

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

SpoolOptions on(rocksdb::Env& env) {
  SpoolOptions options;
  options.env = &env;
  options.reserve_bytes = 0;
  options.rewrite_queue_from = 200;
  return options;
}

SpoolBatch batch_of(Random& random, std::uint64_t step) {
  SpoolBatch batch;
  batch.domain = kStream;
  for (std::uint64_t n = 1 + random.below(20); n > 0; --n) {
    const std::string key = "key-" + std::to_string(random.below(150));
    batch.puts.push_back(random.chance(0.2) ? testing::reread(key)
                                            : image(key, step, std::string(random.below(4000), 'x')));
  }
  batch.positions.push_back({"shard", std::to_string(step), 0, ShardState::reading, 0});
  return batch;
}

std::vector<SpoolEntry> contents(SpoolModel model) {
  auto entries = model.take({.restart = true, .max_entries = 10'000}).entries;
  for (SpoolEntry& entry : entries) entry.captured = {};
  return entries;
}

TEST(SpoolPower, ACutLeavesADurablePrefix) {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const auto power = std::make_shared<Power>();
    const auto env = rocksdb::NewCompositeEnv(std::make_shared<Files>(power));
    SpoolOnDisk disk(on(*env));
    SpoolModel model("model");
    model.open({});
    ASSERT_TRUE(disk.begin_domain(kStream));
    model.begin_domain(kStream);

    // The contents that a cut may leave: as of the last synced answer, and after each step since.
    std::vector<std::vector<SpoolEntry>> possible{contents(model)};
    power->operations_left = static_cast<std::int64_t>(random.below(600));
    for (std::uint64_t step = 1;; ++step) {
      const SpoolBatch batch = batch_of(random, step);
      ASSERT_TRUE(model.put(batch));
      possible.push_back(contents(model));
      if (!disk.put(batch)) break;
      possible = {possible.back()};
      const TakeRequest request{.restart = true, .max_entries = 1 + random.below(15)};
      const Taken expected = model.take(request);
      auto taken = disk.spool->take(request);
      if (!taken) break;
      std::vector<Settled> written;
      for (const SpoolEntry& entry : taken->entries) written.push_back({entry.key, entry.generation});
      model.settle(written, {});
      possible.push_back(contents(model));
      if (!disk.settle(written)) break;
    }
    disk.spool.reset();
    power->cut(random);
    disk.open();
    auto found = disk.look();
    for (SpoolEntry& entry : found) entry.captured = {};
    const bool known = std::ranges::any_of(
        possible, [&found](const std::vector<SpoolEntry>& one) { return testing::same(one, found); });
    ASSERT_TRUE(known) << "found:\n"
                       << testing::describe(found) << "last:\n"
                       << testing::describe(possible[0]);
    ASSERT_TRUE(disk.put({testing::reread("fresh")}));
  }
}

// RocksDB's own error, beyond what the reserve forestalls.
TEST(SpoolPower, ADiskThatFillsUpIsAStateThatEnds) {
  const auto power = std::make_shared<Power>();
  const auto env = rocksdb::NewCompositeEnv(std::make_shared<Files>(power));
  std::uint64_t free = 1u << 30;
  SpoolOptions options = on(*env);
  options.reserve_bytes = 1000;
  options.free_bytes = [&free](const std::filesystem::path&) { return Result<std::uint64_t>(free); };
  SpoolOnDisk disk(options);
  ASSERT_TRUE(disk.begin_domain(kStream));
  power->room = 3'000'000;
  std::uint64_t acknowledged = 0;
  Result<void> done;
  while ((done = disk.put({image("key-" + std::to_string(acknowledged), 1, std::string(10'000, 'x'))}))) {
    ++acknowledged;
    ASSERT_LT(acknowledged, 1000u);
  }
  EXPECT_TRUE(is_spool_full(done.error())) << done.error().message;
  EXPECT_GT(acknowledged, 50u);
  free = 0;
  EXPECT_TRUE(is_spool_full(disk.put({image("more", 1, "x")}).error()));
  EXPECT_TRUE(disk.figures().full);
  EXPECT_EQ(disk.look().size(), acknowledged);
  free = 1u << 30;
  power->room = 1u << 30;
  const auto again = disk.put({image("more", 2, "x")});
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_FALSE(disk.figures().full);
  EXPECT_EQ(disk.look().size(), acknowledged + 1);
  EXPECT_EQ(disk.look().back().token, testing::token(2));
}

}  // namespace
}  // namespace messina::state
