// A table: its description, its rows and its throughput.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "base/clock.h"
#include "item/key.h"
#include "sim/engine/api.h"
#include "sim/engine/item_text.h"
#include "sim/engine/personality.h"
#include "sim/engine/stream.h"
#include "sim/engine/token_bucket.h"

namespace messina::sim {

/// DynamoDB keeps unused capacity for up to 5 minutes (Developer Guide, "Burst capacity").
inline constexpr int kBurstSeconds = 300;
/// What a new on-demand table bears (Developer Guide, "On-demand capacity mode").
inline constexpr std::int64_t kWarmReads = 12'000, kWarmWrites = 4'000;

struct Row {
  std::string json;  ///< as Scan sends it; empty for a tombstone
  std::uint32_t size_bytes = 0;
  std::int64_t stamp_us = 0;  ///< of the write that made it; 0 without last-write-wins
  bool deleted = false;
};

struct Index {
  std::string name;
  item::KeySchema keys;
  bool global = true;
  boost::json::object description;  ///< IndexName, KeySchema, Projection, ProvisionedThroughput as given
  /// What a test has done to it: keys of the table whose entries are lost, and entries that no item has.
  std::set<RowKey> lost = {};
  std::map<RowKey, Row> strays = {};
};

/// What CreateTable and UpdateTable set.
struct TableSpec {
  std::string name;
  item::KeySchema keys;
  boost::json::object request;  ///< CreateTable's parameters, which Alternator echoes
  boost::json::array attribute_definitions;
  bool on_demand = false;
  std::int64_t read_units = 0;
  std::int64_t write_units = 0;
  /// On demand: the maxima of OnDemandThroughput and the WarmThroughput, as given; 0: not given. An on-demand
  /// table without either is described with what a new one bears, and is never throttled.
  std::int64_t most_reads = 0, most_writes = 0, warm_reads = 0, warm_writes = 0;
  std::vector<Index> indexes;
  std::map<std::string, std::string> tags;
  std::string stream_view;  ///< asked for by CreateTable; empty: no stream
  std::string table_class;
  bool deletion_protection = false;
  std::string ttl_attribute;  ///< empty: off
  std::string kms_key_arn;    ///< of a customer's key; empty: AWS's own
  bool point_in_time_recovery = false;
  std::string kinesis_stream_arn;  ///< empty: none
  std::string resource_policy;     ///< empty: none
};

/// Reads and checks CreateTable's parameters.
Outcome<TableSpec> parse_create_table(std::string_view body, const Personality& personality);
/// OnDemandThroughput and WarmThroughput of CreateTable or UpdateTable.
void read_on_demand(TableSpec& spec, const boost::json::object& request);
/// What is wrong with a StreamViewType that StreamView::parse() refuses.
std::string bad_stream_view(std::string_view view);
/// Reads one GlobalSecondaryIndexUpdates[].Create or element of an index list.
Outcome<Index> parse_index(const boost::json::object& json, const boost::json::array& definitions,
                           bool global);
/// "Table name" rules of both services.
Outcome<void> check_table_name(std::string_view name, const Personality& personality);
Outcome<void> check_isolation_tag(const std::map<std::string, std::string>& tags);

/// A secondary index takes its keys' attributes only in the types that it was made with, or absent. `item` is
/// one that is to be stored; `changed`: the attributes that an update sets, null for a whole put. What was
/// there before the index was made may differ (Developer Guide, "Detecting and correcting index key
/// violations").
Outcome<void> check_index_keys(std::string_view item, const TableSpec& spec, const Personality& personality,
                               const std::set<std::string, std::less<>>* changed = nullptr);

/// What was consumed in each second, as CloudWatch adds it up.
struct Consumed {
  double reads = 0, writes = 0;
};

class Table {
 public:
  using Rows = std::map<RowKey, Row>;

  TableSpec spec;
  std::string id;                  ///< a UUID, new whenever the table is made
  std::shared_ptr<Stream> stream;  ///< the latest, which may be disabled; null: none
  WallTime created{};
  MonoTime active_at{};              ///< CREATING or UPDATING until then
  bool updating = false;             ///< what it is before active_at: UPDATING instead of CREATING
  std::optional<MonoTime> gone_at;   ///< DELETING until then
  std::string forced_status;         ///< set through the control endpoint, e.g. ARCHIVED
  std::uint64_t pretended_rows = 0;  ///< told on top of the real ones (bench mode)
  std::uint64_t pretended_bytes = 0;
  TokenBucket reads;
  TokenBucket writes;
  std::uint64_t throttled_reads = 0, throttled_writes = 0;
  std::map<std::int64_t, Consumed> consumed;  ///< by Unix second; the last hours

  std::string_view status(MonoTime now) const;
  const Rows& rows() const { return rows_; }
  std::uint64_t live_rows() const { return live_rows_ + pretended_rows; }
  std::uint64_t live_bytes() const { return live_bytes_ + pretended_bytes; }
  /// The live row, or null.
  const Row* find(const RowKey& key) const;
  /// Its stream takes changes.
  bool streams() const { return stream != nullptr && stream->enabled(); }
  /// Puts (`item`) or deletes (null). With a stamp the newest wins: an older write changes nothing and a
  /// delete leaves a tombstone; of equal stamps the delete wins, then the greater text, so that the order of
  /// arrival is of no matter. Returns false if it lost. A write that wins takes the item's text, and moves
  /// the live row that it replaces into `before`, if that is given.
  bool write(const RowKey& key, CheckedItem* item, std::optional<std::int64_t> stamp_us,
             Row* before = nullptr);
  void clear();

 private:
  void account(const Row& row, int sign);

  Rows rows_;
  std::uint64_t live_rows_ = 0;
  std::uint64_t live_bytes_ = 0;
};

}  // namespace messina::sim
