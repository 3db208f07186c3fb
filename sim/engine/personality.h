// What DynamoDB and ScyllaDB's Alternator do differently, as data. One engine serves both.
#pragma once
#include <cstddef>
#include <string>

#include "item/item_json.h"
#include "sim/engine/stream_rules.h"

namespace messina::sim {

/// The two servers whose recordings the simulator is held against (tests/replay).
enum class ScyllaVersion { v5_2, v6_2 };

struct Personality {
  bool alternator = false;
  ScyllaVersion scylla = ScyllaVersion::v6_2;  ///< only if alternator

  item::JsonRules items;             ///< what an item may hold
  bool bad_base64_is_empty = false;  ///< 5.2 stores a B value that is no base64 as an empty one
  std::size_t max_item_bytes = 0;    ///< 0: none
  std::size_t max_hash_key_bytes = 0;
  std::size_t max_range_key_bytes = 0;
  /// ScyllaDB stores keys with 16-bit lengths: longer ones are an internal error (recorded: "Key size too
  /// large").
  std::size_t max_serialized_key_bytes = 0;
  /// Requests in a BatchWriteItem; 0: any number. ScyllaDB before 2025.2 has no limit, later ones 100.
  std::size_t max_batch_write = 25;
  std::size_t max_batch_get = 100;  ///< 0: any number
  int max_json_depth = 0;           ///< 0: any
  bool require_utf8 = true;
  /// Refuse parameters that the simulator does not know, instead of ignoring them as ScyllaDB does.
  bool strict_parameters = true;

  bool last_write_wins =
      false;  ///< writes carry the node's clock; the newest stamp wins, not the last to arrive
  bool reports_capacity = true;
  bool sends_crc = true;
  bool sends_request_id = true;
  /// Partial success of a BatchWriteItem is told by UnprocessedItems; Alternator fails the whole request
  /// instead.
  bool unprocessed_items = true;
  /// Answers over this many bytes are chunked; 0: never.
  std::size_t chunk_over_bytes = 0;
  StreamRules streams;
  bool accepts_gzip = false;  ///< request bodies with Content-Encoding gzip or deflate (ScyllaDB 2026.1)
};

Personality dynamodb();
Personality alternator(ScyllaVersion version);

}  // namespace messina::sim
