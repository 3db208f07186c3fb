// The Streams API, and what enables and disables a stream.
#include <boost/json/serialize.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include "base/json_text.h"
#include "item/compare.h"
#include "sim/engine/engine.h"
#include "sim/engine/json_scan.h"

namespace messina::sim {
namespace {

namespace json = boost::json;

constexpr std::string_view kTrimmed =
    "The operation attempted to read past the oldest stream record in a shard.";
constexpr std::string_view kRateExceeded = "Rate exceeded for the shard or the account. Slow down.";

/// 1 to `most`; absent: `most`.
Outcome<std::size_t> limit_of(const Parameters& p, std::size_t most) {
  const auto limit = p.integer("Limit");
  if (!limit) return std::unexpected(limit.error());
  const auto wanted = limit->value_or(static_cast<std::int64_t>(most));
  if (wanted < 1) return invalid("Limit must be 1 or more");
  if (wanted > static_cast<std::int64_t>(most))
    return invalid(fmt::format("Limit must be less than or equal to {}", most));
  return static_cast<std::size_t>(wanted);
}

json::array key_schema(const item::KeySchema& keys) {
  json::array schema{json::object{{"AttributeName", keys.partition.name}, {"KeyType", "HASH"}}};
  if (keys.sort) schema.push_back(json::object{{"AttributeName", keys.sort->name}, {"KeyType", "RANGE"}});
  return schema;
}

json::object describe_shard(const StreamShard& shard, StreamStyle style) {
  json::object range{{"StartingSequenceNumber", to_text(shard.starting, style)}};
  if (shard.ending) range["EndingSequenceNumber"] = to_text(*shard.ending, style);
  json::object out{{"ShardId", shard.id}, {"SequenceNumberRange", std::move(range)}};
  if (!shard.parent.empty()) out["ParentShardId"] = shard.parent;
  return out;
}

/// 32 hexadecimal digits, the same whenever the record is read.
std::string event_id(std::string_view stream, SequenceNumber number) {
  const auto mix = [](std::uint64_t x) {  // splitmix64
    x += 0x9E37'79B9'7F4A'7C15;
    x = (x ^ (x >> 30)) * 0xBF58'476D'1CE4'E5B9;
    x = (x ^ (x >> 27)) * 0x94D0'49BB'1331'11EB;
    return x ^ (x >> 31);
  };
  const std::uint64_t first = mix(number.high ^ std::hash<std::string_view>{}(stream));
  return fmt::format("{:016x}{:016x}", first, mix(number.low ^ first));
}

void append_record(std::string& out, const StreamRecord& record, const Stream& stream,
                   std::string_view region) {
  const std::string keys = record.key_json(stream.identity().keys);
  const std::size_t bytes = item::size_bytes(parse_stored(keys)) + record.new_bytes + record.old_bytes;
  fmt::format_to(std::back_inserter(out),
                 R"({{"awsRegion":"{}","dynamodb":{{"ApproximateCreationDateTime":{},"Keys":{})", region,
                 record.created_s, keys);
  if (!record.new_image.empty()) append_member(out, "NewImage", record.new_image);
  if (!record.old_image.empty()) append_member(out, "OldImage", record.old_image);
  constexpr std::string_view kNames[] = {"INSERT", "MODIFY", "REMOVE", "MODIFY"};
  fmt::format_to(
      std::back_inserter(out),
      R"(,"SequenceNumber":"{}","SizeBytes":{},"StreamViewType":"{}"}},"eventID":"{}","eventName":"{}","eventSource":"aws:dynamodb","eventVersion":"1.1")",
      to_text(record.number, StreamStyle::dynamodb), bytes, stream.identity().view.name,
      event_id(stream.identity().arn, record.number), kNames[static_cast<std::size_t>(record.event)]);
  if (record.expired) out += R"(,"userIdentity":{"PrincipalId":"dynamodb.amazonaws.com","Type":"Service"})";
  out += "}";
}

/// Recorded: the event's id ends in the time of the record before it; that of the first is left to chance.
void append_scylla_record(std::string& out, const StreamRecord& record, const Stream& stream,
                          std::string_view event_id) {
  constexpr std::string_view kNames[] = {R"("eventName":"INSERT")", R"("eventName":"MODIFY")",
                                         R"("eventName":"REMOVE")",
                                         R"("eventName":"INSERT","eventName":"MODIFY")"};
  fmt::format_to(
      std::back_inserter(out),
      R"({{{},"dynamodb":{{"Keys":{},"ApproximateCreationDateTime":{},"SequenceNumber":"{}","StreamViewType":"{}")",
      kNames[static_cast<std::size_t>(record.event)], record.key_json(stream.identity().keys),
      record.created_s, to_text(record.number, StreamStyle::alternator), stream.identity().view.name);
  if (!record.old_image.empty()) append_member(out, "OldImage", record.old_image);
  if (!record.new_image.empty()) append_member(out, "NewImage", record.new_image);
  fmt::format_to(std::back_inserter(out), R"(}},"eventID":"{}","eventSource":"scylladb:alternator"}})",
                 event_id);
}

}  // namespace

// ------------------------------------------------------------------------------------- on and off

void Engine::enable_stream(Table& table, const StreamView& view) {
  const Personality& personality = settings_.personality;
  const Moment present = now();
  Stream::Identity identity{{}, {}, table.spec.name, table.spec.keys, view};
  const auto seconds = fmt::gmtime(std::chrono::system_clock::to_time_t(present.wall));
  std::uint64_t seed = settings_.seed;
  if (personality.alternator) {
    identity.arn = "S" + uuid_text({uuid_time(present.wall), random_.next()});
    identity.label = fmt::format("\"{:%Y-%m-%dT%H:%M:%SZ}\"", seconds);
  } else {
    const auto since_epoch = present.wall.time_since_epoch();
    last_stream_ms_ = std::max(std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count(),
                               last_stream_ms_ + 1);
    const auto at = fmt::gmtime(static_cast<std::time_t>(last_stream_ms_ / 1000));
    identity.label = fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}", at, last_stream_ms_ % 1000);
    identity.arn = fmt::format("{}/stream/{}", arn_of(table), identity.label);
    seed ^= static_cast<std::uint64_t>(last_stream_ms_) * 1'000'003;
  }
  table.stream = std::make_shared<Stream>(identity, personality.streams, seed, present, started_);
  table.stream->settle_at(table.active_at);
  streams_[identity.arn] = table.stream;
}

void Engine::disable_stream(Table& table) {
  if (!table.streams()) return;
  table.stream->disable(now());
  if (!settings_.personality.streams.vanishes_when_disabled) return;
  streams_.erase(table.stream->identity().arn);
  table.stream.reset();
}

Outcome<void> Engine::update_stream(Table& table, const Parameters& p) {
  const auto raw = p.raw("StreamSpecification");
  if (!raw) return {};
  const Parameters specification(*raw);
  const auto enabled = specification.flag("StreamEnabled");
  if (!enabled) return std::unexpected(enabled.error());
  const auto view_name = specification.text("StreamViewType");
  if (!view_name) return std::unexpected(view_name.error());
  if (*enabled == table.streams()) {
    const std::string_view what =
        *enabled ? "Table already has an enabled stream" : "Table has no stream to disable";
    return invalid(fmt::format("{}: TableName: {}", what, table.spec.name));
  }
  if (!*enabled) {
    disable_stream(table);
    return {};
  }
  const auto view = StreamView::parse(*view_name);
  if (!view) return invalid(bad_stream_view(*view_name));
  enable_stream(table, *view);
  return {};
}

// ---------------------------------------------------------------------------------------------- calls

Outcome<Stream*> Engine::find_stream(std::string_view arn) const {
  const auto found = streams_.find(arn);
  if (found != streams_.end()) return found->second.get();
  if (!settings_.personality.alternator)
    return refuse("ResourceNotFoundException",
                  fmt::format("Requested resource not found: Stream: {} not found", arn));
  if (!arn.starts_with('S') || !parse_uuid(arn.substr(1)))
    return invalid(fmt::format("Malformed value StreamArn : {}", json_string(arn)));
  return refuse("ResourceNotFoundException", "Invalid StreamArn");
}

Outcome<std::string> Engine::list_streams(const Parameters& p, const Request&) {
  const auto wanted = p.text("TableName");
  if (!wanted) return std::unexpected(wanted.error());
  const auto start = p.text("ExclusiveStartStreamArn");
  if (!start) return std::unexpected(start.error());
  const auto limit = limit_of(p, kMaxPageStreams);
  if (!limit) return std::unexpected(limit.error());
  json::array streams;
  std::string last;
  bool more = false;
  for (auto entry = streams_.upper_bound(*start); entry != streams_.end(); ++entry) {
    const Stream::Identity& stream = entry->second->identity();
    if (!wanted->empty() && stream.table != *wanted) continue;
    more = streams.size() == *limit;
    if (more) break;
    last = stream.arn;
    streams.push_back(
        json::object{{"StreamArn", stream.arn}, {"TableName", stream.table}, {"StreamLabel", stream.label}});
  }
  json::object answer{{"Streams", std::move(streams)}};
  // Recorded: Alternator names the last one even if nothing follows.
  if (more || (settings_.personality.alternator && !last.empty())) answer["LastEvaluatedStreamArn"] = last;
  return json::serialize(answer);
}

Outcome<std::string> Engine::describe_stream(const Parameters& p, const Request&) {
  const auto arn = p.text("StreamArn");
  if (!arn) return std::unexpected(arn.error());
  const auto found = find_stream(*arn);
  if (!found) return std::unexpected(found.error());
  const auto start = p.text("ExclusiveStartShardId");
  if (!start) return std::unexpected(start.error());
  const auto limit = limit_of(p, kMaxPageShards);
  if (!limit) return std::unexpected(limit.error());
  std::string children_of;
  if (const auto raw = p.raw("ShardFilter")) {
    const Parameters filter(*raw);
    if (filter.text("Type").value_or("") != "CHILD_SHARDS")
      return invalid("ShardFilter: Member must satisfy enum value set: [CHILD_SHARDS]");
    children_of = filter.text("ShardId").value_or("");
  }
  if (!describe_stream_calls_.take(1, now().mono))
    return refuse("ThrottlingException", std::string(kRateExceeded));
  Stream& stream = **found;
  stream.trim_all(now().mono);
  const Stream::Identity& identity = stream.identity();
  json::array shards;
  json::object description{{"StreamStatus", stream.status(now().mono)},
                           {"StreamArn", identity.arn},
                           {"StreamViewType", identity.view.name},
                           {"TableName", identity.table},
                           {"KeySchema", key_schema(identity.keys)}};
  for (auto shard = stream.shards().upper_bound(*start); shard != stream.shards().end(); ++shard) {
    if (!children_of.empty() && shard->second.parent != children_of) continue;
    if (shards.size() == *limit) {
      description["LastEvaluatedShardId"] = shards.back().at("ShardId");
      break;
    }
    shards.push_back(describe_shard(shard->second, stream.style()));
  }
  if (!settings_.personality.alternator) {
    description["StreamLabel"] = identity.label;
    description["CreationRequestDateTime"] = std::chrono::system_clock::to_time_t(stream.created());
  }
  description["Shards"] = std::move(shards);
  return json::serialize(json::object{{"StreamDescription", std::move(description)}});
}

Outcome<std::string> Engine::shard_iterator(const Parameters& p, const Request&) {
  const auto arn = p.text("StreamArn");
  const auto shard_id = p.text("ShardId");
  const auto type = p.text("ShardIteratorType");
  const auto number_text = p.text("SequenceNumber");
  for (const auto* parameter : {&arn, &shard_id, &type, &number_text}) {
    if (!*parameter) return std::unexpected(parameter->error());
  }
  const auto found = find_stream(*arn);
  if (!found) return std::unexpected(found.error());
  Stream& stream = **found;
  const bool scylla = settings_.personality.alternator;
  const StreamShard* shard = stream.trimmed(*shard_id, now().mono);
  if (shard == nullptr)
    return refuse("ResourceNotFoundException",
                  scylla ? "Invalid ShardId" : "Requested resource not found: Shard does not exist");
  StreamPosition position;
  if (*type == "TRIM_HORIZON") {
    position = stream.oldest(*shard);
  } else if (*type == "LATEST") {
    position = stream.latest(now());
  } else if (*type == "AT_SEQUENCE_NUMBER" || *type == "AFTER_SEQUENCE_NUMBER") {
    const auto number = parse_sequence_number(*number_text, stream.style());
    if (!number || !stream.could_be_in(*number, *shard))
      return invalid(fmt::format("Invalid SequenceNumber {} for the shard {}", *number_text, *shard_id));
    const bool gone = shard->trimmed && *number <= *shard->trimmed;
    if (gone && settings_.personality.streams.tells_trims)
      return refuse("TrimmedDataAccessException", std::string(kTrimmed));
    position = {*number, *type == "AT_SEQUENCE_NUMBER"};
  } else {
    return invalid(fmt::format(
        "1 validation error detected: Value '{}' at 'shardIteratorType' failed to satisfy constraint: Member "
        "must "
        "satisfy enum value set: [AFTER_SEQUENCE_NUMBER, LATEST, AT_SEQUENCE_NUMBER, TRIM_HORIZON]",
        *type));
  }
  const ShardIterator iterator{*arn, *shard_id, position, now().mono};
  return json::serialize(json::object{{"ShardIterator", to_text(iterator, stream.style())}});
}

Outcome<std::string> Engine::get_records(const Parameters& p, const Request&) {
  const auto text = p.text("ShardIterator");
  if (!text) return std::unexpected(text.error());
  const auto limit = limit_of(p, kMaxPageRecords);
  if (!limit) return std::unexpected(limit.error());
  const auto iterator = parse_iterator(*text, settings_.personality.streams.style);
  if (!iterator) {
    return invalid(settings_.personality.alternator
                       ? fmt::format("Malformed value ShardIterator : {}", json_string(*text))
                       : "Invalid ShardIterator");
  }
  const auto found = find_stream(iterator->stream);
  if (!found) return std::unexpected(found.error());
  Stream& stream = **found;
  const Moment present = now();
  if (stream.expired(*iterator, present.mono))
    return refuse("ExpiredIteratorException", std::string(kIteratorExpired));
  StreamShard* shard = stream.trimmed(iterator->shard, present.mono);
  if (shard == nullptr) {
    if (settings_.personality.streams.tells_trims)
      return refuse("TrimmedDataAccessException", std::string(kTrimmed));
    return refuse("ResourceNotFoundException", "Invalid ShardId");
  }
  if (!shard->calls.take(1, present.mono))
    return refuse("LimitExceededException", std::string(kRateExceeded));
  if (settings_.personality.streams.tells_trims && Stream::is_trimmed(iterator->position, *shard))
    return refuse("TrimmedDataAccessException", std::string(kTrimmed));
  const bool empty = current_fault_ == FaultKind::empty_page;
  const StreamPage page = empty ? StreamPage{{}, iterator->position, false}
                                : stream.read(*shard, iterator->position, *limit, present);
  return render_page(stream, *shard, page);
}

std::string Engine::render_page(const Stream& stream, const StreamShard& shard,
                                const StreamPage& page) const {
  // A page has up to 1 MB: it is put together in one piece.
  std::size_t bytes = 512;
  constexpr std::size_t kAroundRecord = 512;
  for (const StreamRecord* record : page.records)
    bytes += record->new_image.size() + record->old_image.size() + record->keys.size() + kAroundRecord;
  std::string answer;
  answer.reserve(bytes);
  answer = R"({"Records":[)";
  const std::size_t begin = answer.size();
  // What a server that forgot to set a variable happens to have there.
  SequenceNumber previous{0, 0x0000'7ffe'0000'0000};
  for (const StreamRecord* record : page.records) {
    if (answer.size() > begin) answer.push_back(',');
    if (stream.style() == StreamStyle::dynamodb) {
      append_record(answer, *record, stream, settings_.region);
      continue;
    }
    const std::string id = shard.id.substr(shard.id.find(':') + 1);
    append_scylla_record(answer, *record, stream, fmt::format("E{}:{}", id, uuid_text(previous)));
    previous = record->number;
  }
  answer.push_back(']');
  if (!page.drained) {
    const ShardIterator next{stream.identity().arn, shard.id, page.next, now().mono};
    append_member(answer, "NextShardIterator", json_string(to_text(next, stream.style())));
  }
  answer.push_back('}');
  return answer;
}

Answer Engine::throttled_stream_call(FaultKind kind) const {
  if (settings_.personality.alternator) return answer_of(throttled("GetRecords", "", ""));
  const std::string_view type = kind == FaultKind::throttle_stream_limit ? "LimitExceededException"
                                : kind == FaultKind::throttle_stream_rate
                                    ? "ThrottlingException"
                                    : "ProvisionedThroughputExceededException";
  return answer_of(refuse(std::string(type), std::string(kRateExceeded)));
}

}  // namespace messina::sim
