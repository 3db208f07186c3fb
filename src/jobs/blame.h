// Whether a server's answers of 500 are the fault of what was sent to it. Pure.
//
// A server's own error 500 is an unknown outcome (PROTOCOL rule 1), but it can be an item's fault (ScyllaDB
// answers so to a key over 64 KB). What was answered so with the same text kSameFailures times in a row, or
// with any text kFailures times, is taken apart as if it was refused. A single item becomes a reject only if
// other writes were acknowledged since it failed first: a server that is sick fails everybody, and must not
// turn the rest of the table into rejects. Without such a witness the item is tried on, and the status names
// it; unless no more than kFewLeft batches are left in all, so that there may never be a witness: then it
// becomes a reject after kFailures answers. A wrong guess there costs little: `rejects retry` puts such items
// back.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"

namespace messina::jobs {

/// The server itself said that it failed, as opposed to a gateway or nobody.
inline bool answered_failure(const Error& error) {
  return !error.code.empty() && error.code != "HTTP 502" && error.code != "HTTP 503" &&
         error.code != "HTTP 504";
}

/// What is known against a batch.
class Blame {
 public:
  /// Answers 500 with one text, in a row, before a batch is halved or an item rejected.
  static constexpr std::uint32_t kSameFailures = 4;
  /// The same with whatever text (it may name a time or a request), and for an item that has no witness.
  static constexpr std::uint32_t kFailures = 10;
  /// So few unsettled batches may all be items at fault.
  static constexpr std::int64_t kFewLeft = 8;

  /// An answer of 500; `acknowledged`: how many batches were, by now.
  void answered_500(const std::string& text, std::uint64_t acknowledged) {
    if (!acknowledged_before_) acknowledged_before_ = acknowledged;
    if (text != text_) same_failures_ = 0;
    text_ = text;
    ++same_failures_;
    ++failures_;
  }
  /// An attempt ended otherwise.
  void not_answered() { same_failures_ = failures_ = 0; }

  /// Of a part of the batch: a part that fails as the whole did is taken apart at once; an item alone has to
  /// fail anew.
  Blame of_part(bool alone) const {
    Blame part;
    part.text_ = text_;
    part.acknowledged_before_ = acknowledged_before_;
    if (failures_ > 0 && !alone) {
      part.same_failures_ = kSameFailures - 1;
      part.failures_ = kFailures - 1;
    }
    return part;
  }

  /// As far as can be told: `alone` if the batch is one item, `unsettled` batches being left in all.
  bool proven(bool alone, std::uint64_t acknowledged, std::int64_t unsettled) const {
    if (same_failures_ < kSameFailures && failures_ < kFailures) return false;
    if (!alone || acknowledged != acknowledged_before_) return true;
    return failures_ >= kFailures && unsettled <= kFewLeft;
  }
  /// So often that a person should hear which item it is.
  bool suspicious() const { return failures_ >= kSameFailures; }
  std::uint32_t failures() const { return failures_; }

 private:
  std::string text_;                 // of the last answered 500
  std::uint32_t failures_ = 0;       // answers 500 in a row
  std::uint32_t same_failures_ = 0;  // the last of them, that had one text
  std::optional<std::uint64_t> acknowledged_before_;
};

}  // namespace messina::jobs
