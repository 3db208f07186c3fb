// The stream of a table of DynamoDB or Alternator as a Feed.
#pragma once
#include <memory>

#include "aws/dynamodb_client.h"
#include "endpoints/endpoint.h"
#include "endpoints/feed.h"
#include "net/event_loop.h"

namespace messina::endpoints {

/// What stands before the operation's name in X-Amz-Target (Amazon DynamoDB Streams API Reference).
inline constexpr const char* kStreamsApi = "DynamoDBStreams_20120810";

struct FeedParts {
  TableName table;
  std::unique_ptr<aws::DynamoDbClient> tables;   ///< DescribeTable, UpdateTable
  std::unique_ptr<aws::DynamoDbClient> streams;  ///< with kStreamsApi
  FeedLimits limits;
};

/// The feed belongs to `loop`.
std::unique_ptr<Feed> make_feed(net::EventLoop& loop, FeedParts parts);

}  // namespace messina::endpoints
