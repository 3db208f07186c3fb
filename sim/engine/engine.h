// The simulated service: tables, calls, faults. One engine per service (DynamoDB, or an Alternator cluster
// with all its nodes). It does no I/O and never waits: it says how long the caller should. Not thread-safe:
// one event loop only.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "sim/engine/api.h"
#include "sim/engine/auth.h"
#include "sim/engine/faults.h"
#include "sim/engine/personality.h"
#include "sim/engine/policy.h"
#include "sim/engine/table.h"

namespace messina::sim {

struct Node {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  std::string datacenter = "datacenter1";
  std::string rack = "rack1";
  /// How far the node's clock is ahead of the true time; negative: behind.
  std::chrono::milliseconds skew{};
};

struct EngineSettings {
  Personality personality;
  std::uint64_t seed = 1;
  AuthSettings auth;
  /// DynamoDB: what callers may do; null: everything. Unsigned requests are then refused.
  std::shared_ptr<const Policy> policy;
  std::string region = "us-east-1";
  Duration create_delay{};  ///< CREATING for so long
  Duration delete_delay{};  ///< DELETING for so long
  /// Provisioned throughput is described but never throttles.
  bool unlimited = false;
  /// Unused throughput that is kept: kBurstSeconds as DynamoDB does at best, 1 for the strict rate.
  double burst_seconds = 1;
  /// Expired items are deleted so often; zero: only when the control endpoint asks for it. DynamoDB takes
  /// hours.
  Duration ttl_sweep{};
  /// CloudWatch knows of what was consumed so much later.
  Duration metrics_delay{};
  std::vector<Node> nodes{Node{}};
};

/// What was decided for a request before it runs.
struct Admission {
  Duration wait{};  ///< execute it that much later
  FaultDecision faults;
};

/// A Date header: "Sun, 22 Nov 2026 15:00:00 GMT".
std::string http_date(WallTime time);

class Engine {
 public:
  /// `clock` must outlive the engine.
  Engine(EngineSettings settings, const Clock& clock);

  /// Draws the faults for a request; wait as it says, then execute().
  Admission admit(const Request& request);
  Answer execute(const Request& request, const Admission& admission);
  /// Both at once, for callers that do not wait.
  Answer handle(const Request& request) { return execute(request, admit(request)); }

  const EngineSettings& settings() const { return settings_; }
  /// The shell learns its ports only after it listens.
  void set_node_address(std::size_t node, std::string host, std::uint16_t port);
  /// Puts JSON lines of items into a table, past faults and throughput. Returns how many.
  Outcome<std::uint64_t> load(std::string_view table, std::string_view lines);
  Faults& faults() { return faults_; }
  /// Executes a request past signatures and faults, for set-up.
  Answer run_unchecked(const Request& request) { return answer_of(dispatch(request)); }
  /// Makes DescribeTable tell another size, for a table whose pages come from elsewhere (bench mode).
  void pretend_size(std::string_view table, std::uint64_t items, std::uint64_t bytes);
  /// Counts what a read of such a page consumed.
  void note_read(std::string_view table, double units);

 private:
  using Operation = Outcome<std::string> (Engine::*)(const Parameters&, const Request&);
  struct OperationInfo;
  static const std::map<std::string, OperationInfo, std::less<>>& operations();

  struct LateWrite {
    Fields headers;
    std::string body;
    std::size_t node;
  };

  // engine.cc
  Moment now() const;
  void run_due();
  std::optional<MonoTime> next_due() const;
  Answer run(const Request& request, const Admission& admission);
  Answer spoil(FaultKind kind, const Request& request, const Admission& admission);
  Outcome<std::string> dispatch(const Request& request);
  Outcome<void> check_parameters(const OperationInfo& operation, const Parameters& parameters) const;
  Answer answer_of(const Outcome<std::string>& outcome) const;
  Answer get_page(const Request& request) const;
  std::unexpected<ApiError> throttled(std::string_view operation, std::string_view cause,
                                      std::string_view table) const;
  std::vector<std::string> tables_of(const Request& request) const;
  std::int64_t next_stamp(std::size_t node);

  // ops_tables.cc
  Outcome<std::string> create_table(const Parameters& p, const Request& r);
  Outcome<std::string> describe_table(const Parameters& p, const Request& r);
  Outcome<std::string> update_table(const Parameters& p, const Request& r);
  Outcome<std::string> delete_table(const Parameters& p, const Request& r);
  Outcome<std::string> list_tables(const Parameters& p, const Request& r);
  Outcome<void> update_indexes(Table& table, const Parameters& p, const Request& r);
  Outcome<Table*> find_table(std::string_view name);
  /// Also ACTIVE or UPDATING, as data calls need it.
  Outcome<Table*> usable_table(std::string_view name);
  std::string arn_of(const Table& table) const { return arn_of(table.spec.name); }
  std::string arn_of(std::string_view table) const;
  void set_throughput(Table& table);
  // describe.cc
  boost::json::object describe(const Table& table) const;
  boost::json::object describe_dynamodb(const Table& table) const;
  boost::json::object describe_alternator(const Table& table) const;
  boost::json::object describe_created(const Table& table) const;

  // ops_settings.cc
  Outcome<std::string> update_ttl(const Parameters& p, const Request& r);
  Outcome<std::string> describe_ttl(const Parameters& p, const Request& r);
  Outcome<std::string> tag_resource(const Parameters& p, const Request& r);
  Outcome<std::string> untag_resource(const Parameters& p, const Request& r);
  Outcome<std::string> list_tags(const Parameters& p, const Request& r);
  Outcome<std::string> describe_limits(const Parameters& p, const Request& r);
  Outcome<std::string> describe_backups(const Parameters& p, const Request& r);
  Outcome<std::string> describe_endpoints(const Parameters& p, const Request& r);
  // ops_metrics.cc: CloudWatch, by AWS JSON 1.0 on DynamoDB's own listeners
  Outcome<std::string> get_metric_data(const Parameters& p, const Request& r);
  void count_consumed(Table& table, double reads, double writes);
  Outcome<Table*> table_of_arn(const Parameters& p);

  // ops_account.cc
  std::vector<Access> accesses_of(const Request& request) const;
  std::optional<ApiError> check_policy(const Request& request) const;
  Outcome<std::string> update_backups(const Parameters& p, const Request& r);
  Outcome<std::string> enable_kinesis(const Parameters& p, const Request& r);
  Outcome<std::string> describe_kinesis(const Parameters& p, const Request& r);
  Outcome<std::string> put_resource_policy(const Parameters& p, const Request& r);
  Outcome<std::string> get_resource_policy(const Parameters& p, const Request& r);
  Outcome<std::string> describe_key(const Parameters& p, const Request& r);
  Answer security_token_service(const Request& request) const;
  /// A refusal in STS's own words: `type` is DynamoDB's.
  Answer security_token_refusal(std::string_view type, std::string_view message) const;

  // ops_streams.cc
  Outcome<std::string> list_streams(const Parameters& p, const Request& r);
  Outcome<std::string> describe_stream(const Parameters& p, const Request& r);
  Outcome<std::string> shard_iterator(const Parameters& p, const Request& r);
  Outcome<std::string> get_records(const Parameters& p, const Request& r);
  Outcome<void> update_stream(Table& table, const Parameters& p);
  void enable_stream(Table& table, const StreamView& view);
  void disable_stream(Table& table);
  Outcome<Stream*> find_stream(std::string_view arn) const;
  std::string render_page(const Stream& stream, const StreamShard& shard, const StreamPage& page) const;
  Answer throttled_stream_call(FaultKind kind) const;

  // expiry.cc
  std::uint64_t expire_items(Table& table);
  void sweep();

  // ops_write.cc
  Outcome<std::string> put_item(const Parameters& p, const Request& r);
  Outcome<std::string> delete_item(const Parameters& p, const Request& r);
  Outcome<std::string> update_item(const Parameters& p, const Request& r);
  Outcome<void> check_condition(const Parameters& p, const Row* row, class Names& names) const;
  Outcome<void> check_poison(std::string_view raw_item, const Table& table, std::string_view operation,
                             std::size_t node);
  /// Writes; DynamoDB's reads and writes are charged here, too.
  Outcome<void> charge_write(Table& table, std::size_t bytes, std::string_view operation);
  Outcome<void> charge_read(Table& table, double units, std::string_view operation);
  /// Puts (`item`, whose text it takes) or deletes, and tells the table's stream. The key stands in
  /// `key_source`, which is JSON text.
  void apply(Table& table, const RowKey& key, CheckedItem* item, std::optional<std::int64_t> stamp,
             ChangeCause cause, std::string_view key_source);

  // ops_batch.cc
  struct BatchWrite;
  Outcome<std::string> batch_write(const Parameters& p, const Request& r);
  Outcome<std::vector<BatchWrite>> read_batch(const Parameters& p, const Request& r);
  struct BatchGet;
  Outcome<BatchGet> read_batch_get(const Member& member);
  Outcome<std::string> batch_get(const Parameters& p, const Request& r);

  // ops_read.cc
  Outcome<std::string> get_item(const Parameters& p, const Request& r);
  Outcome<std::string> scan(const Parameters& p, const Request& r);
  Outcome<std::string> query(const Parameters& p, const Request& r);

  // control.cc
  Answer control(const Request& request);
  Outcome<std::string> control_faults(const Request& request);
  Outcome<std::string> control_tables(const Request& request, std::string_view rest);
  Outcome<std::string> control_consumed(Table& table, const Request& request);
  Outcome<std::string> control_index(Table& table, const Request& request);
  Outcome<std::string> control_clock(const Request& request);
  Outcome<std::string> control_credentials(const Request& request);
  Outcome<std::string> control_policy(const Request& request);
  // control_streams.cc
  Outcome<std::string> control_stream(Table& table, const Request& request);
  std::string control_stats() const;

  EngineSettings settings_;
  const Clock& clock_;
  Random random_;
  Faults faults_;
  std::map<std::string, Table, std::less<>> tables_;
  /// By ARN; also of tables that are gone, until nothing is left of them.
  std::map<std::string, std::shared_ptr<Stream>, std::less<>> streams_;
  TokenBucket describe_stream_calls_;
  WallTime started_;                    ///< the Alternator cluster's
  std::int64_t last_stream_ms_ = 0;     ///< no two streams share a label
  std::optional<MonoTime> next_sweep_;  ///< of expired items
  std::vector<std::int64_t> last_stamp_us_;
  std::multimap<MonoTime, LateWrite> late_;
  MonoTime stopped_until_{};
  Duration clock_offset_{};
  std::optional<MonoTime> executing_at_;    ///< set while a late write runs, which has the time it was due
  std::optional<FaultKind> current_fault_;  ///< what the running batch has to act out itself
  std::map<std::string, std::uint64_t, std::less<>> calls_;
  std::uint64_t lost_writes_ = 0;  ///< writes that a newer stamp beat
  std::uint64_t late_writes_done_ = 0;
  std::uint64_t session_tokens_seen_ = 0;
  std::uint64_t refused_signatures_ = 0;
};

/// ConsumedCapacity as ReturnConsumedCapacity asks for it: empty, or `"ConsumedCapacity":…` ready to be
/// joined.
Outcome<std::string> consumed_capacity(const Parameters& p, const Personality& personality,
                                       std::string_view table, double units);

/// Appends `"name":` and a value's text as a further member of an open object.
void append_member(std::string& object, std::string_view name, std::string_view value);

}  // namespace messina::sim
