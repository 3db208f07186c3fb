#include "plan/plan_keys.h"

#include <algorithm>
#include <array>

namespace messina::plan {
namespace {

using enum KeyUse;
using enum KeyOrigin;

constexpr std::string_view kOwnWay = "is not used: messina has its own way";
constexpr std::string_view kNotCompared =
    "is not used: `messina verify` compares values, exactly, and keeps all that differ";
constexpr std::string_view kFlagOnly = "this is a flag only: it is said anew each time";

constexpr auto kKeys = std::to_array<PlanKey>({
    {"plan", "version", honoured, ours, KeyShape::whole, "1; may be left out. A newer one is refused"},
    {"plan", "source", honoured, both, KeyShape::side, "an address, or a mapping with the keys of a side"},
    {"plan", "target", honoured, both, KeyShape::side, "the same"},
    {"plan", "tables", honoured, ours, KeyShape::tables,
     "many tables: list of names, of patterns (`*`, `?`), and of mappings as below"},
    {"plan", "exclude", honoured, ours, KeyShape::texts, "names and patterns of tables to leave out"},
    {"plan", "target-name", honoured, ours, KeyShape::text,
     "many tables: what they are called on the target, as `{table}_v2`"},
    {"plan", "order", honoured, ours, KeyShape::text, "many tables: which go first", "size name given"},
    {"plan", "parallel-tables", honoured, ours, KeyShape::whole, "many tables: how many at once; 4"},
    {"plan", "renames", honoured, both, KeyShape::renames,
     "list of `{from, to}`: top-level attributes, keys included"},
    {"plan", "drop", honoured, ours, KeyShape::texts, "attributes to leave out; never keys"},
    {"plan", "segments", honoured, ours, KeyShape::whole, "1 to 1,000,000"},
    {"plan", "skip-segments", honoured, ours, KeyShape::wholes,
     "segments to leave out, from 0; needs `segments`"},
    {"plan", "skipSegments", honoured, theirs, KeyShape::wholes, "the same; needs `scanSegments`"},
    {"plan", "read-rcu", honoured, ours, KeyShape::text,
     "RCU a second, at most, or `unlimited`; of many tables together"},
    {"plan", "read-share", honoured, ours, KeyShape::text,
     "the same as a share of each table's capacity, as `30%`"},
    {"plan", "eventually-consistent", honoured, ours, KeyShape::flag,
     "`true`: read at half the cost; `migrate` refuses it"},
    {"plan", "write-wcu", honoured, ours, KeyShape::text, "WCU a second, or `unlimited`"},
    {"plan", "write-share", honoured, ours, KeyShape::text,
     "the same as a share of each table's capacity, as `30%`"},
    {"plan", "write-concurrency", honoured, ours, KeyShape::whole,
     "requests to the target at once; of many tables together"},
    {"plan", "loops", honoured, ours, KeyShape::whole, "event loops, 1 to 256"},
    {"plan", "memory", honoured, ours, KeyShape::text,
     "for data in flight, as `256MiB`; of many tables together"},
    {"plan", "schema", honoured, ours, KeyShape::text, "what to do about the target's table",
     "create check skip"},
    {"plan", "write-isolation", honoured, ours, KeyShape::text, "of an Alternator table that is made"},
    {"plan", "into-existing", honoured, ours, KeyShape::flag, "`true`: write into a table that is not empty"},
    {"plan", "enable-stream", honoured, ours, KeyShape::view,
     "`true`, or a view: switch the source's stream on if it is off"},
    {"plan", "skip-expired", honoured, ours, KeyShape::flag,
     "`true`: deletes by the source's TTL are not carried over"},
    {"plan", "stream-retention", honoured, ours, KeyShape::text,
     "how long the source keeps a change, as `24h`"},
    {"plan", "spool-max", honoured, ours, KeyShape::text, "for changes that wait, as `20GB`; of each table"},
    {"plan", "allowed-lag", honoured, ours, KeyShape::text,
     "how old a change that waits may be in a target that is in step, as `10s`"},
    {"plan", "clock-error", honoured, ours, KeyShape::text, "a time, as `1s`"},
    {"plan", "dead-after", honoured, ours, KeyShape::text, "a time, as `30s`"},
    {"plan", "state", honoured, ours, KeyShape::text, "the state directory"},
    {"plan", "savepoints", honoured, theirs, KeyShape::mapping, "where the place is kept"},
    {"plan", "validation", ignored, theirs, KeyShape::mapping, kNotCompared},
    {"plan", "skipTokenRanges", refused, theirs, KeyShape::nothing,
     "token ranges belong to CQL sources, which this version does not do yet"},
    {"plan", "skipParquetFiles", refused, theirs, KeyShape::nothing,
     "Parquet files are not a source of messina"},
    {"plan", "allow-write-aws", refused, ours, KeyShape::nothing, kFlagOnly},
    {"plan", "restart", refused, ours, KeyShape::nothing, kFlagOnly},
    {"plan", "take-over", refused, ours, KeyShape::nothing, kFlagOnly},
    {"plan", "until", refused, ours, KeyShape::nothing, kFlagOnly},
    {"plan", "heal", refused, ours, KeyShape::nothing, kFlagOnly},
    {"plan", "delete-extra", refused, ours, KeyShape::nothing, kFlagOnly},

    {"side", "type", honoured, both, KeyShape::text, "what it is; `dynamo` is `dynamodb`",
     "dynamodb dynamo alternator"},
    {"side", "uri", honoured, ours, KeyShape::text, "the address, instead of `type` and `table`"},
    {"side", "table", honoured, both, KeyShape::text, "the table's name; left out where `tables` names many"},
    {"side", "region", honoured, both, KeyShape::text, "DynamoDB's region; without meaning on Alternator"},
    {"side", "endpoint", honoured, both, KeyShape::endpoint, "a URL, or `{host, port}`; Alternator needs it"},
    {"side", "credentials", honoured, theirs, KeyShape::mapping, "keys, or a role to assume"},
    {"side", "alternator", honoured, theirs, KeyShape::mapping,
     "as savepoint files write Alternator's settings; makes the side an Alternator"},
    {"side", "profile", honoured, ours, KeyShape::text, "DynamoDB: a profile of the AWS files"},
    {"side", "access-key", honoured, ours, KeyShape::text, "the access key; on Alternator the role's name"},
    {"side", "secret-key-env", honoured, ours, KeyShape::text, "the variable that holds the secret key"},
    {"side", "secret-key-file", honoured, ours, KeyShape::text, "the file that holds it"},
    {"side", "session-token-env", honoured, ours, KeyShape::text,
     "DynamoDB: the variable with the session token"},
    {"side", "session-token-file", honoured, ours, KeyShape::text, "DynamoDB: the file with it"},
    {"side", "ca-file", honoured, ours, KeyShape::text, "CAs to trust"},
    {"side", "gzip", honoured, ours, KeyShape::flag, "Alternator: compress requests"},
    {"side", "max-batch-items", honoured, ours, KeyShape::whole, "1 to 100; on DynamoDB 25"},
    {"side", "max-connections", honoured, ours, KeyShape::whole, "per node and loop, 1 to 1024"},
    {"side", "maxMapTasks", ignored, theirs, KeyShape::whole, "is Spark's and not used: see --loops"},
    {"side", "removeConsumedCapacity", ignored, theirs, KeyShape::flag, kOwnWay},

    {"alternator", "datacenter", honoured, both, KeyShape::text, "which nodes to use"},
    {"alternator", "rack", honoured, both, KeyShape::text, "which to use first; needs `datacenter`"},
    {"alternator", "compression", honoured, theirs, KeyShape::flag, "as `gzip`"},
    {"alternator", "maxItemsPerBatch", honoured, theirs, KeyShape::whole, "as `max-batch-items`"},
    {"alternator", "maxConnections", honoured, theirs, KeyShape::whole, "as `max-connections`"},
    {"alternator", "activeRefreshIntervalMs", ignored, theirs, KeyShape::whole, kOwnWay},
    {"alternator", "idleRefreshIntervalMs", ignored, theirs, KeyShape::whole, kOwnWay},
    {"alternator", "optimizeHeaders", ignored, theirs, KeyShape::flag, kOwnWay},
    {"alternator", "connectionMaxIdleTimeMs", ignored, theirs, KeyShape::whole, kOwnWay},
    {"alternator", "connectionTimeToLiveMs", ignored, theirs, KeyShape::whole, kOwnWay},
    {"alternator", "connectionAcquisitionTimeoutMs", ignored, theirs, KeyShape::whole, kOwnWay},
    {"alternator", "connectionTimeoutMs", ignored, theirs, KeyShape::whole, kOwnWay},

    {"source", "scanSegments", honoured, theirs, KeyShape::whole, "as `segments`"},
    {"source", "readThroughput", honoured, theirs, KeyShape::number, "as `read-rcu`"},
    {"source", "throughputReadPercent", honoured, theirs, KeyShape::number,
     "0.1 to 1.5: the share of `readThroughput`, else of the table's capacity, to read with"},

    {"target", "writeThroughput", honoured, theirs, KeyShape::number, "WCU a second, at most"},
    {"target", "throughputWritePercent", honoured, theirs, KeyShape::number,
     "0.1 to 1.5: the share of `writeThroughput`, else of the table's capacity, to write with"},
    {"target", "billingMode", ignored, theirs, KeyShape::text,
     "is not used: the target's table takes the source's mode"},
    {"target", "streamChanges", honoured, theirs, KeyShape::flag,
     "`true`: changes are followed, which `migrate` does and `copy` refuses; as `enable-stream: true`"},
    {"target", "skipInitialSnapshotTransfer", refused, theirs, KeyShape::flag,
     "history is copied first, always: `capture` and `apply` follow without it"},

    {"endpoint", "host", honoured, both, KeyShape::text,
     "a name or an address; without `http://` it gets it, or `https://` if it is Amazon's"},
    {"endpoint", "port", honoured, both, KeyShape::whole, "1 to 65535"},

    {"credentials", "accessKey", honoured, theirs, KeyShape::text, "as `access-key`"},
    {"credentials", "secretKey", honoured, theirs, KeyShape::text,
     "the secret key itself; better `${VARIABLE}`"},
    {"credentials", "assumeRole", honoured, theirs, KeyShape::mapping, "DynamoDB: a role to assume"},
    {"assumeRole", "arn", honoured, theirs, KeyShape::text, "the role"},
    {"assumeRole", "sessionName", honoured, theirs, KeyShape::text,
     "how the session is called in AWS's logs"},

    {"table", "table", honoured, ours, KeyShape::text, "a name or a pattern"},
    {"table", "target", honoured, ours, KeyShape::text, "its name on the target; may hold `{table}`"},
    {"table", "renames", honoured, ours, KeyShape::renames, "instead of the plan's"},
    {"table", "drop", honoured, ours, KeyShape::texts, "instead of the plan's"},
    {"table", "segments", honoured, ours, KeyShape::whole, "instead of the plan's"},

    {"rename", "from", honoured, both, KeyShape::text, "the attribute's name on the source"},
    {"rename", "to", honoured, both, KeyShape::text, "and on the target"},

    {"savepoints", "path", honoured, theirs, KeyShape::text, "as `state`"},
    {"savepoints", "target", honoured, theirs, KeyShape::anything,
     "`{type: filesystem, path}`; other types are refused: the ledger lies in a local directory"},
    {"savepoints", "intervalSeconds", ignored, theirs, KeyShape::whole,
     "is not used: the ledger is written a few times a second"},
    {"savepoints", "enableParquetFileTracking", ignored, theirs, KeyShape::flag,
     "is not used: Parquet files are not a source of messina"},

    {"validation", "compareTimestamps", ignored, theirs, KeyShape::flag, kNotCompared},
    {"validation", "ttlToleranceMillis", ignored, theirs, KeyShape::whole, kNotCompared},
    {"validation", "writetimeToleranceMillis", ignored, theirs, KeyShape::whole, kNotCompared},
    {"validation", "failuresToFetch", ignored, theirs, KeyShape::whole, kNotCompared},
    {"validation", "floatingPointTolerance", ignored, theirs, KeyShape::number, kNotCompared},
    {"validation", "timestampMsTolerance", ignored, theirs, KeyShape::whole, kNotCompared},
    {"validation", "copyMissingRows", ignored, theirs, KeyShape::flag, kNotCompared},
    {"validation", "repairWritetimeStrategy", ignored, theirs, KeyShape::text, kNotCompared},
    {"validation", "hashColumns", ignored, theirs, KeyShape::anything, kNotCompared},
    {"validation", "numericTypePolicy", ignored, theirs, KeyShape::text, kNotCompared},
});

}  // namespace

std::span<const PlanKey> plan_keys() { return kKeys; }

std::vector<const PlanKey*> keys_in(std::initializer_list<std::string_view> places) {
  std::vector<const PlanKey*> found;
  for (const PlanKey& key : kKeys)
    if (std::ranges::find(places, key.place) != places.end()) found.push_back(&key);
  return found;
}

}  // namespace messina::plan
