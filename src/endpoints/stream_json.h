// Requests and answers of DynamoDB Streams' control calls: pure text in and out. Records are
// item::StreamPage's. Errors of parsing: corrupt.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "endpoints/endpoint.h"
#include "endpoints/feed.h"

namespace messina::endpoints {

/// The LatestStreamArn in an answer of DescribeTable; nullopt: the table never had a stream.
Result<std::optional<StreamArn>> parse_latest_stream(std::string_view body);

/// DescribeStream, the page behind `after` (nullopt: the first).
std::string describe_stream_request(const StreamArn& arn, const std::optional<ShardId>& after);
/// Adds a page to `stream`, whose head the first page fills. The result is the shard to ask for the next page
/// with; nullopt at the end.
Result<std::optional<ShardId>> parse_describe_stream(std::string_view body, StreamDescription& stream);

std::string shard_iterator_request(const StreamArn& arn, const ShardId& shard, const ShardStart& start);
Result<std::string> parse_iterator(std::string_view body);
std::string records_request(std::string_view iterator);
/// UpdateTable that switches a stream on.
std::string enable_stream_request(const TableName& table, StreamView view);

}  // namespace messina::endpoints
