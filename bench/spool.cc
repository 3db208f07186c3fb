// The spool against a bare RocksDB loop that writes the same bytes, and the applier's reads and removals
// alone. For bench/spool.py; prints one line of JSON.
//
//   bare      RocksDB with its default options: WriteBatch of a group, synced, one after the other
//   put       the spool by its interface, as capture uses it: shards that each put a group and wait for its
//   answer apply     take() and settle() of what `put` left in the folder, nothing else
//
// Keys are drawn at random from `keys`; images have `value` bytes of JSON whose half does not compress.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <fmt/format.h>
#include <rocksdb/db.h>
#include <sys/resource.h>

#include "base/hash.h"
#include "base/random.h"
#include "state/disk_spool.h"

namespace messina::bench {
using state::DiskSpool;
namespace {

struct Options {
  std::string mode, folder;
  std::uint64_t events = 200'000, keys = 5'000'000, value = 1000, group = 1000, shards = 1, memory_mib = 128;
  std::uint64_t from = 0;  ///< keys are drawn one after another from here on, not at random, with `in_order`
  bool in_order = false;
  /// The folder is the spool of a migration that has captured: its stream and its positions stay.
  bool into_migration = false;
  bool rest = false;  ///< ends only when RocksDB has nothing more to compact, which is not in the figures
};

/// The same keys and images for all that measure, cheaply.
class Events {
 public:
  Events(const Options& options, std::uint64_t seed) : options_(options), random_(seed), next_(options.from) {
    std::string noise(1u << 20, '\0');
    for (char& c : noise) c = static_cast<char>(random_.next());
    noise_ = base64_encode(noise);
    text_ = std::string(options.value, 'o');
  }
  std::string key() {
    const std::uint64_t number = options_.in_order ? next_++ : random_.below(options_.keys);
    return fmt::format("{{\"pk\":{{\"S\":\"order-{:012}\"}}}}",
                       number * 0x9E3779B97F4A7C15u % 1'000'000'000'000);
  }
  /// The item of `key`, which `key` is the beginning of.
  std::string image(std::string_view key) {
    std::string bytes(key.substr(0, key.size() - 1));
    bytes += R"(,"note":{"S":")";
    const std::size_t half = options_.value / 2;
    bytes.append(noise_, random_.below(noise_.size() - half), half);
    bytes.append(text_, 0, options_.value - std::min<std::size_t>(options_.value, bytes.size() + 3));
    bytes.append("\"}}");
    return bytes;
  }

 private:
  const Options& options_;
  Random random_;
  std::string noise_, text_;
  std::uint64_t next_;
};

void check(const rocksdb::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}
void check(const Error& error) { throw std::runtime_error(error.message); }

/// Seconds of wall and of CPU time since it was made.
class Watch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }
  double cpu_seconds() const { return cpu_now() - cpu_; }

 private:
  static double cpu_now() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
      return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  double cpu_ = cpu_now();
};

/// Waits until this process has next to nothing to do: what was put is compacted.
void rest() {
  constexpr auto kWhile = std::chrono::seconds(2);
  constexpr double kIdleCpuSeconds = 0.05;
  for (;;) {
    const Watch watch;
    std::this_thread::sleep_for(kWhile);
    if (watch.cpu_seconds() < kIdleCpuSeconds) return;
  }
}

struct Result {
  std::uint64_t events = 0;
  double seconds = 0, cpu_seconds = 0;  ///< without opening and closing
  DiskSpool::Stats stats;
};

Result run_bare(const Options& options) {
  rocksdb::Options settings;
  settings.create_if_missing = true;
  rocksdb::DB* opened = nullptr;
  check(rocksdb::DB::Open(settings, options.folder, &opened));
  const std::unique_ptr<rocksdb::DB> db(opened);
  rocksdb::WriteOptions synced;
  synced.sync = true;
  Events events(options, 1);
  const Watch watch;
  for (std::uint64_t done = 0; done < options.events; done += options.group) {
    rocksdb::WriteBatch batch;
    for (std::uint64_t i = 0; i < options.group; ++i) {
      const std::string key = events.key();
      check(batch.Put(key, events.image(key)));
    }
    check(db->Write(synced, &batch));
  }
  const Result result{options.events, watch.seconds(), watch.cpu_seconds(), {}};
  if (options.rest) rest();
  return result;
}

struct Progress {
  std::uint64_t begun = 0;
};

Task<void> put_groups(DiskSpool& spool, const Options& options, const Clock& clock, Events& events,
                      Progress& progress) {
  std::uint64_t sequence = 0;
  auto stream = co_await spool.domain();
  if (!stream) check(stream.error());
  const auto changed_unix_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(clock.wall().time_since_epoch()).count();
  while (progress.begun < options.events) {
    progress.begun += options.group;
    state::SpoolBatch batch;
    batch.domain = *stream;
    batch.captured = clock.now();
    batch.puts.reserve(options.group);
    for (std::uint64_t i = 0; i < options.group; ++i) {
      const auto token = state::OrderToken::parse(fmt::format("{:022}", ++sequence));
      std::string key = events.key();
      std::string image = events.image(key);
      batch.puts.push_back(
          {std::move(key), state::ChangeKind::image, *token, std::move(image), changed_unix_ms});
    }
    if (!options.into_migration)
      batch.positions.push_back({"shard", fmt::format("{:022}", sequence), 0, state::ShardState::reading, 1});
    auto put = co_await spool.put(batch);
    if (!put) check(put.error());
  }
}

Task<void> begin_domain(DiskSpool& spool) {
  const std::string stream = "stream";
  auto begun = co_await spool.begin_domain(stream);
  if (!begun) check(begun.error());
}

Task<void> apply_all(DiskSpool& spool, const Options& options, Progress& progress) {
  state::TakeRequest request{.restart = true, .max_entries = options.group};
  while (progress.begun < options.events) {
    auto taken = co_await spool.take(request);
    if (!taken) check(taken.error());
    if (taken->entries.empty() && request.restart) co_return;
    request.restart = taken->end;
    progress.begun += taken->entries.size();
    std::vector<state::Settled> written;
    written.reserve(taken->entries.size());
    for (state::SpoolEntry& entry : taken->entries)
      written.push_back({std::move(entry.key), entry.generation});
    auto settled = co_await spool.settle(written);
    if (!settled) check(settled.error());
  }
}

Result run_spool(const Options& options) {
  const SystemClock clock;
  Random random(entropy_seed());
  state::SpoolOptions settings;
  settings.memory = std::make_shared<state::SpoolMemory>(options.memory_mib << 20);
  auto opened = state::Spool::open(options.folder, settings, clock, random);
  if (!opened) check(opened.error());
  DiskSpool spool(std::move(*opened), clock);
  asio::io_context loop;
  const auto rethrow = [](std::exception_ptr error) {
    if (error) std::rethrow_exception(error);
  };
  Events events(options, 1);
  Progress progress;
  if (!options.into_migration) asio::co_spawn(loop, begin_domain(spool), rethrow);
  loop.run();
  loop.restart();
  const Watch watch;
  if (options.mode == "put") {
    for (std::uint64_t i = 0; i < options.shards; ++i) {
      asio::co_spawn(loop, put_groups(spool, options, clock, events, progress), rethrow);
    }
  } else {
    asio::co_spawn(loop, apply_all(spool, options, progress), rethrow);
  }
  loop.run();
  const Result result{progress.begun, watch.seconds(), watch.cpu_seconds(), spool.stats()};
  if (options.rest) rest();
  return result;
}

/// "VmHWM" and the like of this process, in MiB.
std::uint64_t memory_mib(std::string_view what) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(what)) return std::strtoull(line.c_str() + what.size() + 1, nullptr, 10) / 1024;
  }
  return 0;
}

/// "wchar" (bytes given to write calls) and the like of this process.
std::uint64_t io_bytes(std::string_view what) {
  std::ifstream in("/proc/self/io");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(what)) return std::strtoull(line.c_str() + what.size() + 1, nullptr, 10);
  }
  return 0;
}

std::uint64_t folder_mib(const std::string& folder) {
  std::uint64_t sum = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator(folder)) {
    std::error_code gone;
    const auto size = file.is_regular_file(gone) ? file.file_size(gone) : 0;
    if (!gone) sum += size;
  }
  return sum >> 20;
}

void run(const Options& options) {
  const Result result = options.mode == "bare" ? run_bare(options) : run_spool(options);
  fmt::print(
      "{{\"mode\":\"{}\",\"events\":{},\"seconds\":{:.3f},\"per_s\":{:.0f},\"cpu_s\":{:.3f},\"peak_mib\":{},"
      "\"disk_mib\":{},\"groups\":{},\"written_mib\":{},\"read_mib\":{}}}\n",
      options.mode, result.events, result.seconds, static_cast<double>(result.events) / result.seconds,
      result.cpu_seconds, memory_mib("VmHWM"), folder_mib(options.folder), result.stats.groups,
      io_bytes("wchar") >> 20, io_bytes("rchar") >> 20);
}

}  // namespace
}  // namespace messina::bench

int main(int argc, char** argv) {
  messina::bench::Options options;
  CLI::App app("Measures the spool.");
  app.add_option("mode", options.mode)->required()->check(CLI::IsMember({"bare", "put", "apply"}));
  app.add_option("folder", options.folder)->required();
  app.add_option("--events", options.events);
  app.add_option("--keys", options.keys);
  app.add_option("--value", options.value, "bytes of an image");
  app.add_option("--group", options.group, "events of a put, entries of a take");
  app.add_option("--shards", options.shards, "that put at once");
  app.add_option("--memory-mib", options.memory_mib, "of the spool");
  app.add_flag("--in-order", options.in_order, "every key once");
  app.add_flag("--into-migration", options.into_migration,
               "put into the spool of a migration, which has captured");
  app.add_flag("--rest", options.rest, "end only when all is compacted");
  app.add_option("--from", options.from, "number of the first key, with --in-order");
  CLI11_PARSE(app, argc, argv);
  try {
    messina::bench::run(options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
