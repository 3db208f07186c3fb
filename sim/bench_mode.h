// Serves Scan pages and items rendered in advance and swallows BatchWriteItem, so that a bench measures its
// client.
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "sim/engine/api.h"
#include "sim/engine/personality.h"

namespace messina::sim {

struct BenchOptions {
  std::uint64_t items = 0;
  std::size_t size_bytes = 1024;  ///< of an item's JSON text; at least 64
  std::string table = "bench";
  bool serves_pages = true;                               ///< false: this service only swallows writes
  std::chrono::milliseconds page_delay{}, write_delay{};  ///< before an answer
  bool shuffled = false;  ///< BatchGetItem answers in another order than it was asked in
  bool key_last = false;  ///< items are written with their key behind their other attribute
};

inline constexpr const char* kBenchSettings =
    "items=N,size=BYTES,table=NAME,page-ms=N,write-ms=N,shuffled=0|1,key-last=0|1";
/// Reads kBenchSettings; only items is needed.
Result<BenchOptions> parse_bench(std::string_view text);

struct BenchAnswer {
  Answer answer;
  double read_units = 0;  ///< to be counted as consumed by the bench's table
};

/// Immutable once made.
class BenchMode {
 public:
  BenchMode(BenchOptions options, const Personality& personality);

  /// The answer to a Scan of the bench's table, a BatchGetItem of its keys in any one table, or a
  /// BatchWriteItem; nullopt for all other requests. Nothing is authenticated and nothing is checked.
  std::optional<BenchAnswer> answer(const Request& request) const;

  const BenchOptions& options() const { return options_; }

 private:
  std::optional<BenchAnswer> scan(const Request& request) const;
  std::optional<BenchAnswer> look_up(const Request& request) const;
  /// Without its comma.
  std::string_view item(std::uint64_t key) const;
  Answer finish(std::shared_ptr<const std::string> body) const;

  BenchOptions options_;
  bool sends_crc_;
  std::size_t page_items_;
  /// Rendered items of a full page, comma-separated; a page is one of them (or its beginning) between head
  /// and tail.
  std::vector<std::string> pages_;
  std::size_t stride_ = 0;  ///< bytes of an item and its comma
  Answer swallowed_;
};

}  // namespace messina::sim
