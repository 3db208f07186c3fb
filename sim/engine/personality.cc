#include "sim/engine/personality.h"

#include "item/value.h"

namespace messina::sim {

Personality dynamodb() {
  Personality p;
  p.items.numbers = item::Number::Limits::dynamodb;
  p.items.max_nesting = item::kMaxNesting;
  p.items.strict = true;
  p.max_item_bytes = item::kMaxItemBytes;
  p.max_hash_key_bytes = item::kMaxHashKeyBytes;
  p.max_range_key_bytes = item::kMaxRangeKeyBytes;
  return p;
}

Personality alternator(ScyllaVersion version) {
  Personality p;
  p.alternator = true;
  p.scylla = version;
  p.items.numbers =
      version == ScyllaVersion::v5_2 ? item::Number::Limits::lenient : item::Number::Limits::dynamodb;
  p.bad_base64_is_empty = version == ScyllaVersion::v5_2;
  p.max_serialized_key_bytes = 65'535;
  p.max_batch_write = 100;
  p.max_batch_get = 0;
  p.max_json_depth = 78;
  p.require_utf8 = false;
  p.strict_parameters = false;
  p.last_write_wins = true;
  p.reports_capacity = false;
  p.sends_crc = false;
  p.sends_request_id = false;
  p.unprocessed_items = false;
  p.chunk_over_bytes = 16 * 1024;
  p.streams.style = StreamStyle::alternator;
  p.streams.iterator_life = {};
  p.streams.visible_after = std::chrono::seconds(10);
  p.streams.shards = 32;  // as the recorded servers, which had 16 vnodes on 2 CPUs; by default it is 256
  p.streams.roll_every = {};
  p.streams.call_limits = false;
  p.streams.logs_every_write = true;
  p.streams.tells_trims = false;
  p.streams.vanishes_when_disabled = true;
  p.streams.space_in_shard_id = version == ScyllaVersion::v6_2;
  return p;
}

}  // namespace messina::sim
