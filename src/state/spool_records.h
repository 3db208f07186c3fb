// The spool's records beside its entries, and their bytes (format 1). Pure; private to this room.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "state/spool_desk.h"
#include "state/spool_entry.h"
#include "state/spool_store.h"

namespace messina::state {

inline constexpr std::string_view kIdRecord = "id";
inline constexpr std::string_view kCountersRecord = "counters";
inline constexpr std::string_view kDomainRecord = "domain";
inline const std::string kShardPrefix = "shard/";
/// While touches are kept: the number of the process that opened the spool last.
inline constexpr std::string_view kTouchesRecord = "touches";
inline const std::string kTouchPrefix = "touched/";
inline constexpr std::string_view kTouchesEnd = "touched0";  ///< behind all with the prefix: '0' follows '/'

/// Part of every step.
struct SpoolCounters {
  Generation generation = 1;  ///< the next one to be given
  std::uint64_t counter = 0;  ///< of synced steps
  std::uint64_t records = 0;  ///< of the queue
  Generation barrier = 0;     ///< images put before it are marks
  std::uint32_t epoch = 0;    ///< of the queue's new records
  std::uint32_t domain = 0;   ///< number of the order domain
  std::uint32_t incarnation = 0;
  bool operator==(const SpoolCounters&) const = default;
};
void encode(const SpoolCounters& counters, std::string& out);
std::optional<SpoolCounters> decode_counters(std::string_view bytes);

/// Big-endian: places sort as their keys do.
std::string place_key(Place place);
std::optional<Place> decode_place(std::string_view key);

void encode(const QueueRecord& record, std::string& out);
std::optional<QueueRecord> decode_queue_record(std::string_view bytes);

/// The shard's id is the record's key.
void encode(const ShardPosition& position, std::string& out);
std::optional<ShardPosition> decode_position(std::string_view shard, std::string_view bytes);

/// The put's key, behind the prefix, is the record's key.
void encode_touch(Generation generation, std::string& out);
std::optional<Generation> decode_touch(std::string_view bytes);
void encode_incarnation(std::uint32_t number, std::string& out);
std::optional<std::uint32_t> decode_incarnation(std::string_view bytes);

}  // namespace messina::state
