// A stream's record as what it says to the spool (PROTOCOL rules 8 and 9). Pure.
#pragma once
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "base/error.h"
#include "item/key.h"
#include "item/stream_page.h"
#include "state/spool_store.h"

namespace messina::jobs {

struct RecordRules {
  /// The view has new images and their order is the source's; else each record is a mark.
  bool images = true;
  bool carry_expired = true;  ///< deletes by TTL
  /// What the server says was written before is left out: history, read later, contains it.
  std::int64_t history_from_unix_ms = std::numeric_limits<std::int64_t>::min();
  bool any_image = false;  ///< CaptureFaults::images_of_any_domain
};

/// Turns records of one table into puts. May be used by many threads at once.
class RecordReader {
 public:
  RecordReader(const item::KeySchema& key, const RecordRules& rules);

  enum class Taken : std::uint8_t { put, older, expired };
  /// `put` is of use only if that is the answer; else the record is left out. Without a time of its own a
  /// record counts as written at `otherwise`. Errors: refused when its keys are none of the table's.
  Result<Taken> read(const item::StreamRecord& record, std::int64_t otherwise_unix_ms,
                     state::SpoolPut& put) const;

  /// The key as item::key_text() has it.
  Result<std::string> key(std::string_view raw) const;

 private:
  const item::KeyReader keys_;
  const RecordRules rules_;
};

}  // namespace messina::jobs
