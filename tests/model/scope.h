// What one search covers, and which rule it goes without.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>

namespace messina::model {

struct Scope {
  std::string_view name;
  int clock_error = 1;  ///< S, in ticks
  int dead_after = 1;   ///< D
  int writes = 2;       ///< of the application, at any time
  bool deletes = true;
  std::uint8_t written_keys = 3;  ///< bits
  std::uint8_t at_first = 3;      ///< bits of the keys that the source has at first
  /// Bits of the keys of each page. What no page has is on the target at first, as it is on the source.
  std::array<std::uint8_t, 2> pages = {1, 2};
  bool begun = false;  ///< the capture follows already at first
  bool two_shards = false, split = false;
  int retention = 0;   ///< of records; 0: for ever
  bool images = true;  ///< else each record is a mark
  /// Of a write another input may tell than the stream, and it alone. As the program's own marks do (a
  /// retried reject, a find of the backward pass), it comes when the stream's records of before are in the
  /// spool: an image that came after the read of a mark was sent would be taken for newer.
  bool hints = false;
  bool short_polls = false;  ///< a poll may bring one record of many
  bool slow_puts = false;    ///< time passes between a poll's answer and its put
  bool lazy_settle = false;  ///< a crash may bring back what was settled since the last put
  bool claims = false;       ///< "in step" is computed and judged
  int lost = 1;              ///< connections that are cut under a write
  int crashes = 0, heals = 0, unprocessed = 0, throttles = 0;
};

/// Changes of one key that the target has already, followed from the start.
inline Scope one_key() {
  Scope scope;
  scope.begun = true;
  scope.written_keys = 1;
  scope.pages = {0, 0};
  return scope;
}

/// The same key, copied beside it.
inline Scope one_page() {
  Scope scope = one_key();
  scope.pages = {1, 0};
  return scope;
}

/// Rules of the protocol that a search goes without.
struct Without {
  bool rule1 = false;             ///< after no answer it is written again at once
  bool rule1_settle = false;      ///< no answer counts as one
  bool rule2 = false;             ///< a key may be written again at once
  bool rule3 = false;             ///< a restarted process writes at once
  bool rule6 = false;             ///< a key left unprocessed is absent
  bool rule8_settle = false;      ///< what came after the taking goes, too
  bool rule8_sticky = false;      ///< an image that waits is written although a mark came after it
  bool rule10_positions = false;  ///< a shard's position is durable before its records
  bool rule11 = false;            ///< no watermark
  bool rule11_finish = false;     ///< a page is finished as soon as it is acknowledged
  bool rule13_latest = false;     ///< shards are read from their end
  bool rule13_order = false;      ///< history is read before the positions are stored
  bool rule14_age = false;        ///< old positions are trusted
  bool rule14_lineage = false;    ///< a child is read beside its parent
  bool rule15_backward = false;   ///< a gap is healed without the backward pass
  bool rule16_history = false;    ///< a claim does not ask for history
  bool rule16_gap = false;        ///< nor for gaps
  bool rule16_polls = false;      ///< nor for polls
  bool rule16_listing = false;    ///< nor for a listing
  bool rule16_entries = false;    ///< nor for what waits
};

}  // namespace messina::model
