#include "endpoints/stream_json.h"

#include "base/json_text.h"
#include "endpoints/json_members.h"

namespace messina::endpoints {
namespace {

std::optional<StreamStatus> stream_status(std::string_view text) {
  if (text == "ENABLING") return StreamStatus::enabling;
  if (text == "ENABLED") return StreamStatus::enabled;
  if (text == "DISABLING") return StreamStatus::disabling;
  if (text == "DISABLED") return StreamStatus::disabled;
  return std::nullopt;
}

Result<ShardInfo> shard_in(const json::value& value) {
  if (!value.is_object()) return fail(ErrorKind::corrupt, "it has a shard that is no object");
  const auto& object = value.get_object();
  ShardInfo shard;
  shard.id.value = text_in(object, "ShardId");
  if (shard.id.value.empty()) return fail(ErrorKind::corrupt, "it has a shard without a name");
  if (auto parent = text_in(object, "ParentShardId"); !parent.empty()) {
    shard.parent = ShardId{std::move(parent)};
  }
  shard.closed = !text_in(object_in(object, "SequenceNumberRange"), "EndingSequenceNumber").empty();
  return shard;
}

}  // namespace

Result<std::optional<StreamArn>> parse_latest_stream(std::string_view body) {
  const auto table = object_of(body, "Table");
  if (!table) return fail(table.error());
  auto arn = text_in(*table, "LatestStreamArn");
  if (arn.empty()) return std::optional<StreamArn>();
  return StreamArn{std::move(arn)};
}

std::string describe_stream_request(const StreamArn& arn, const std::optional<ShardId>& after) {
  if (!after) return fmt::format(R"({{"StreamArn":{}}})", json_string(arn.value));
  return fmt::format(R"({{"StreamArn":{},"ExclusiveStartShardId":{}}})", json_string(arn.value),
                     json_string(after->value));
}

Result<std::optional<ShardId>> parse_describe_stream(std::string_view body, StreamDescription& stream) {
  const auto found = object_of(body, "StreamDescription");
  if (!found) return fail(found.error());
  const auto status = stream_status(text_in(*found, "StreamStatus"));
  const auto view = stream_view(text_in(*found, "StreamViewType"));
  if (!status) return fail(ErrorKind::corrupt, "it has no known StreamStatus");
  if (!view) return fail(ErrorKind::corrupt, "it has no known StreamViewType");
  stream.status = *status;
  stream.view = *view;
  for (const auto& value : array_in(*found, "Shards")) {
    auto shard = shard_in(value);
    if (!shard) return fail(shard.error());
    stream.shards.push_back(std::move(*shard));
  }
  auto last = text_in(*found, "LastEvaluatedShardId");
  if (last.empty()) return std::optional<ShardId>();
  return ShardId{std::move(last)};
}

std::string shard_iterator_request(const StreamArn& arn, const ShardId& shard, const ShardStart& start) {
  const std::string where = start.after ? fmt::format(R"("AFTER_SEQUENCE_NUMBER","SequenceNumber":{})",
                                                      json_string(start.after->digits))
                                        : std::string(R"("TRIM_HORIZON")");
  return fmt::format(R"({{"StreamArn":{},"ShardId":{},"ShardIteratorType":{}}})", json_string(arn.value),
                     json_string(shard.value), where);
}

Result<std::string> parse_iterator(std::string_view body) {
  const auto found = object_of(body, "");
  if (!found) return fail(found.error());
  auto iterator = text_in(*found, "ShardIterator");
  if (iterator.empty()) return fail(ErrorKind::corrupt, "it has no \"ShardIterator\"");
  return iterator;
}

std::string records_request(std::string_view iterator) {
  return fmt::format(R"({{"ShardIterator":{}}})", json_string(iterator));
}

std::string enable_stream_request(const TableName& table, StreamView view) {
  return fmt::format(
      R"({{"TableName":{},"StreamSpecification":{{"StreamEnabled":true,"StreamViewType":"{}"}}}})",
      json_string(table.value), text_of(view));
}

}  // namespace messina::endpoints
