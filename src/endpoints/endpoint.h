// What a job knows of a database: a set of capabilities, null where it has none.
//
// One Endpoint object belongs to one Loop; a job over four loops holds four, which share what must be shared
// (node health, budgets) inside. Capabilities make ONE attempt and answer with an Error or an outcome;
// whether and when to try again is decided by jobs/retry.h, in one place.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/async.h"
#include "base/error.h"
#include "base/slab.h"
#include "endpoints/feed.h"
#include "item/key.h"
#include "pace/capacity_share.h"

namespace messina::item {
class ExpectedItems;  // item/lookup_page.h
}

namespace messina::endpoints {

class Inspect;  // endpoints/inspect.h

// ---------------------------------------------------------------------------------------------- tables

struct TableName {
  std::string value;
  auto operator<=>(const TableName&) const = default;
};

enum class TableStatus : std::uint8_t {
  active,
  creating,
  updating,
  deleting,
  archived,
  inaccessible_key,
  other
};

struct Index {
  std::string name;
  item::KeySchema key;
  bool global = true;
  std::string projection = "ALL";  ///< ALL, KEYS_ONLY or INCLUDE
  std::vector<std::string> projected;
  /// 0 on on-demand tables.
  std::uint64_t read_capacity = 0, write_capacity = 0;
};

/// A table as DescribeTable, DescribeTimeToLive and ListTagsOfResource tell it.
struct TableDescription {
  TableName name;
  std::string id;  ///< TableId; pins the table's identity. Empty where the server has none.
  std::string arn;
  TableStatus status = TableStatus::active;
  std::string status_text;  ///< as the server wrote it
  item::KeySchema key;
  std::vector<Index> indexes;
  bool on_demand = true;
  std::uint64_t read_capacity = 0, write_capacity = 0;
  /// On demand: the maxima of OnDemandThroughput, where they are set, and the WarmThroughput.
  std::optional<std::uint64_t> most_reads, most_writes, warm_reads, warm_writes;
  std::optional<std::uint64_t> item_count,
      size_bytes;  ///< about six hours old on DynamoDB; absent on Alternator
  std::map<std::string, std::string> tags;
  std::optional<std::string> ttl_attribute;  ///< when TTL is enabled
  std::optional<std::string> stream_view_type;
};

/// The control plane of one table.
class Catalog {
 public:
  virtual ~Catalog() = default;
  /// not_found, denied, expired, transient…. Tags and TTL are left out (and said in `notes`) where the caller
  /// may not read them.
  virtual Task<Result<TableDescription>> describe(std::vector<std::string>* notes = nullptr) = 0;
  /// The description's id alone, by one request.
  virtual Task<Result<std::string>> table_id() {
    Result<TableDescription> description = co_await describe(nullptr);
    if (!description) co_return fail(description.error());
    co_return std::move(description->id);
  }
  /// Asks for the table to be made: keys, indexes, billing, tags (never TTL: PROTOCOL rule 19). Returns when
  /// the request is accepted; the caller polls describe() until it is active. `exists` if it is there
  /// already.
  virtual Task<Result<void>> create(const TableDescription& wanted) = 0;
  /// True when a one-item scan finds nothing.
  virtual Task<Result<bool>> empty() = 0;
  /// Asks for the table to be deleted with all it holds. For tables that messina made for itself; the caller
  /// makes sure by the table's id. Returns when the request is accepted; describe() says not_found at last.
  virtual Task<Result<void>> remove() = 0;
  /// Sets tags beside those that the table has. They may be seen only some seconds later. config where the
  /// server has no tags.
  virtual Task<Result<void>> tag(std::map<std::string, std::string> tags) {
    (void)tags;
    co_return fail(ErrorKind::config, "this server has no tags");
  }
};

// ---------------------------------------------------------------------------------------------- capacity

struct TableCapacity {
  pace::TableUnits reads, writes;  ///< units per second
};
/// The part of a description that budgets are made of.
inline TableCapacity capacity_of(const TableDescription& description) {
  const auto units = [&](std::uint64_t provisioned, const std::optional<std::uint64_t>& most,
                         const std::optional<std::uint64_t>& warm) {
    pace::TableUnits of{.on_demand = description.on_demand, .provisioned = static_cast<double>(provisioned)};
    if (most) of.most = static_cast<double>(*most);
    if (warm) of.warm = static_cast<double>(*warm);
    return of;
  };
  return {units(description.read_capacity, description.most_reads, description.warm_reads),
          units(description.write_capacity, description.most_writes, description.warm_writes)};
}

/// What everybody together consumed of a table in one period.
struct Consumption {
  WallTime from{};
  Duration period{};
  double reads = 0, writes = 0;  ///< units in the period
};

/// What a table bears and what is used of it. Servers without capacity units have no such capability.
class Capacity {
 public:
  virtual ~Capacity() = default;
  virtual Task<Result<TableCapacity>> describe() = 0;
  /// The whole periods between the two, oldest first, as far as they are known by now: the newest may be
  /// missing, and so may periods without consumption. `denied` where the caller may not know, `config` where
  /// there is nobody to ask.
  virtual Task<Result<std::vector<Consumption>>> consumed(WallTime from, WallTime to) = 0;
};

/// The tables of a whole region or cluster.
class Listing {
 public:
  virtual ~Listing() = default;
  struct Names {
    std::vector<std::string> names;
    std::string next;  ///< to ask for the next page with; empty at the end
  };
  /// One attempt at the page after `after` (empty: the first). Errors as of Catalog.
  virtual Task<Result<Names>> list(const std::string& after) = 0;
};

// ---------------------------------------------------------------------------------------------- history

/// The form in which a page's records are.
enum class Form : std::uint8_t { dynamo_json };

/// A piece of history that one worker reads from end to end. Plain data: it goes into the ledger and to other
/// processes.
struct Unit {
  std::string id;    ///< unique in its job, e.g. "segment 3/16"
  std::string spec;  ///< JSON, understood by the endpoint that planned it
  bool operator==(const Unit&) const = default;
};

/// Where to go on within a unit. Opaque, versioned, valid for its own unit only; empty means from the start.
struct Cursor {
  std::string bytes;
  bool operator==(const Cursor&) const = default;
};

struct PlanHints {
  std::optional<std::uint32_t> segments;  ///< 1..1,000,000; absent: from the table's size
  std::uint32_t lanes = 1;                ///< units that will run at once, at least
};

/// A page of history. The records point into `bytes` and stay valid while it is neither moved from nor
/// destroyed (moving a Page keeps them valid: a Slab's memory does not move).
struct Page {
  Form form = Form::dynamo_json;
  Slab bytes;
  std::vector<std::string_view> records;
  Cursor next;          ///< meaningful unless end
  bool end = false;     ///< the unit is finished with this page
  double cost_rcu = 0;  ///< from ConsumedCapacity; estimated from the bytes where the server does not say
  MonoTime sent_at{};   ///< when the request was sent: the watermark's time (PROTOCOL rule 11)
};

/// What the records of a page are to have, and whose they are.
struct Projection {
  std::string index;                    ///< entries of this index of the table's; empty: the table's items
  std::vector<std::string> attributes;  ///< these top-level ones alone; not empty
};

class Scannable {
 public:
  virtual ~Scannable() = default;
  virtual Task<Result<std::vector<Unit>>> plan(const PlanHints& hints) = 0;
  /// One attempt at the page that begins at `cursor`, read consistently unless the user chose otherwise. Ends
  /// by itself within the endpoint's timeouts.
  virtual Task<Result<Page>> read(const Unit& unit, const Cursor& cursor) = 0;
  /// The same, of `most_items` at most, where the server can be asked for that; 0: as many as it gives.
  virtual Task<Result<Page>> read_some(const Unit& unit, const Cursor& cursor, std::uint32_t most_items) {
    (void)most_items;
    return read(unit, cursor);
  }
  /// The same, where the server can be asked for that, of records that have their key attributes alone. It
  /// costs as many units as whole items do.
  virtual Task<Result<Page>> read_keys(const Unit& unit, const Cursor& cursor) { return read(unit, cursor); }
  /// The same, of records that have some attributes alone, where the server can be asked for that. A global
  /// index is read eventually consistent: no server offers more. Errors also: config, where there are no such
  /// reads.
  virtual Task<Result<Page>> read_projected(const Unit& unit, const Cursor& cursor,
                                            const Projection& projection) {
    (void)unit, (void)cursor, (void)projection;
    co_return fail(ErrorKind::config, "indexes of this kind of table cannot be read");
  }
  /// What a read costs of a consistent one: 0.5 where the user chose eventually consistent reads.
  virtual double consistency() const { return 1; }
  /// Gives a page's memory back for reuse. Optional: destroying the page is always right.
  virtual void recycle(Page page) { (void)page; }
};

// ---------------------------------------------------------------------------------------------- writing

struct WriteCaps {
  Form form = Form::dynamo_json;
  std::size_t max_items = 25;  ///< of one write()
  std::size_t max_bytes = 0;   ///< sum of the records' bytes of one write()
  bool stamped = false;        ///< takes the writer's timestamp (PROTOCOL, Words)
};

/// What became of one write() call. Exactly one of:
///  - `error` empty, `unprocessed` empty: all records are acknowledged.
///  - `error` empty: those named in `unprocessed` (indexes into the records) were not written; the rest are
///  acknowledged.
///  - `error` set: kind throttled/transient/busy: nothing was written. unknown_outcome: anything may have
///  happened or may
///    still happen. refused/too_large: the server will not take these bytes; at least one record is at fault,
///    and none was written if `all_or_nothing`, else perhaps some. Other kinds end the job.
struct WriteOutcome {
  std::vector<std::uint32_t> unprocessed;
  std::optional<Error> error;
  double cost_wcu = 0;
  Duration latency{};
};

/// A put of a whole item, or a delete of the item that a key names.
struct WriteRequest {
  std::string_view raw;  ///< the item, or the key alone; form as in WriteCaps
  bool remove = false;
};

class Writable {
 public:
  virtual ~Writable() = default;
  virtual WriteCaps caps() const = 0;
  /// Puts raw records (form as in caps), one attempt. The views must stay valid until it returns.
  virtual Task<WriteOutcome> put(std::span<const std::string_view> records) = 0;
  /// The same, of puts and deletes, each of another key.
  virtual Task<WriteOutcome> write(std::span<const WriteRequest> requests) = 0;
};

// ---------------------------------------------------------------------------------------------- lookup

/// The items of some keys, read consistently. The views point into `bytes`, but for items that were expected.
struct LookupPage {
  Slab bytes;
  std::vector<std::string_view> items;             ///< in no order: find them by their keys
  std::vector<std::string_view> unprocessed_keys;  ///< nothing is known of these. A key that is neither here
                                                   ///< nor among the items is absent (PROTOCOL rule 6)
  double cost_rcu = 0;
  MonoTime sent_at{};  ///< what was captured before is contained
};

class Lookup {
 public:
  virtual ~Lookup() = default;
  /// Keys of one get().
  virtual std::size_t max_keys() const = 0;
  /// One attempt at 1 to max_keys() different raw keys. `expected` (may be nullptr) outlives the call; items
  /// that it knew are its views, and do not point into the page's bytes.
  virtual Task<Result<LookupPage>> get(std::span<const std::string_view> keys,
                                       item::ExpectedItems* expected) = 0;
  /// Gives a page's memory back for reuse. Optional.
  virtual void recycle(LookupPage page) { (void)page; }
};

// ---------------------------------------------------------------------------------------------- the whole

struct Endpoint {
  std::string display;  ///< for people: `table "orders" (dynamodb, us-east-1)`
  /// Two endpoints with equal authority and table name are the same table.
  std::string authority;
  TableName table;
  std::unique_ptr<Catalog> catalog;
  std::unique_ptr<Listing> listing;
  std::unique_ptr<Scannable> scan;
  std::unique_ptr<Writable> put;
  std::unique_ptr<Lookup> get;
  std::unique_ptr<Capacity> capacity;
  std::unique_ptr<Feed> feed;
  std::shared_ptr<Inspect> inspect;  ///< only where `messina check` asks for it
};

}  // namespace messina::endpoints
