#include "state/spool_records.h"

namespace messina::state {
namespace {

constexpr std::size_t kPlaceBytes = sizeof(std::uint32_t) + sizeof(std::uint64_t);

}  // namespace

void encode(const SpoolCounters& counters, std::string& out) {
  RecordWriter writer(out);
  writer.u64(counters.generation);
  writer.u64(counters.counter);
  writer.u64(counters.records);
  writer.u64(counters.barrier);
  writer.varint(counters.epoch);
  writer.varint(counters.domain);
  writer.varint(counters.incarnation);
}

std::optional<SpoolCounters> decode_counters(std::string_view bytes) {
  RecordReader reader(bytes);
  SpoolCounters counters;
  counters.generation = reader.u64();
  counters.counter = reader.u64();
  counters.records = reader.u64();
  counters.barrier = reader.u64();
  counters.epoch = static_cast<std::uint32_t>(reader.varint());
  counters.domain = static_cast<std::uint32_t>(reader.varint());
  counters.incarnation = static_cast<std::uint32_t>(reader.varint());
  return reader.ended() ? std::optional(counters) : std::nullopt;
}

std::string place_key(Place place) {
  std::string key(kPlaceBytes, '\0');
  for (std::size_t i = 0; i < sizeof place.epoch; ++i) {
    key[i] = static_cast<char>(place.epoch >> (8 * (sizeof place.epoch - 1 - i)));
  }
  for (std::size_t i = 0; i < sizeof place.generation; ++i) {
    key[sizeof place.epoch + i] =
        static_cast<char>(place.generation >> (8 * (sizeof place.generation - 1 - i)));
  }
  return key;
}

std::optional<Place> decode_place(std::string_view key) {
  if (key.size() != kPlaceBytes) return std::nullopt;
  Place place;
  for (const char c : key.substr(0, sizeof place.epoch)) {
    place.epoch = place.epoch << 8 | static_cast<unsigned char>(c);
  }
  for (const char c : key.substr(sizeof place.epoch)) {
    place.generation = place.generation << 8 | static_cast<unsigned char>(c);
  }
  return place;
}

void encode(const QueueRecord& record, std::string& out) {
  RecordWriter writer(out);
  writer.varint(record.captured.incarnation);
  writer.i64(record.captured.monotonic_ns);
  writer.i64(record.changed_unix_ms);
  writer.rest(record.key);
}

std::optional<QueueRecord> decode_queue_record(std::string_view bytes) {
  RecordReader reader(bytes);
  QueueRecord record;
  record.captured.incarnation = static_cast<std::uint32_t>(reader.varint());
  record.captured.monotonic_ns = reader.i64();
  record.changed_unix_ms = reader.i64();
  record.key = reader.rest();
  return reader.ok() && !record.key.empty() ? std::optional(std::move(record)) : std::nullopt;
}

void encode(const ShardPosition& position, std::string& out) {
  RecordWriter writer(out);
  writer.u8(static_cast<std::uint8_t>(position.state));
  writer.i64(position.read_until_unix_ms);
  writer.u64(position.epoch);
  writer.text(position.sequence_number);
  writer.text(position.parent);
}

std::optional<ShardPosition> decode_position(std::string_view shard, std::string_view bytes) {
  RecordReader reader(bytes);
  ShardPosition position;
  position.shard = shard;
  const std::uint8_t state = reader.u8();
  position.state = static_cast<ShardState>(state);
  position.read_until_unix_ms = reader.i64();
  position.epoch = reader.u64();
  position.sequence_number = reader.text();
  position.parent = reader.text();
  const bool known = state <= static_cast<std::uint8_t>(ShardState::drained);
  return reader.ended() && known ? std::optional(std::move(position)) : std::nullopt;
}

void encode_touch(Generation generation, std::string& out) { RecordWriter(out).u64(generation); }

std::optional<Generation> decode_touch(std::string_view bytes) {
  RecordReader reader(bytes);
  const Generation generation = reader.u64();
  return reader.ended() ? std::optional(generation) : std::nullopt;
}

void encode_incarnation(std::uint32_t number, std::string& out) { RecordWriter(out).varint(number); }

std::optional<std::uint32_t> decode_incarnation(std::string_view bytes) {
  RecordReader reader(bytes);
  const auto number = static_cast<std::uint32_t>(reader.varint());
  return reader.ended() ? std::optional(number) : std::nullopt;
}

}  // namespace messina::state
