// Inspect for DynamoDB and ScyllaDB's Alternator.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "aws/service_client.h"
#include "aws/service_endpoint.h"
#include "endpoints/dynamodb.h"
#include "endpoints/inspect.h"

namespace messina::endpoints {

/// Where the services beside DynamoDB are. On an Alternator streams are where the table is.
struct SideServices {
  /// An address that cannot be one is an error only for the call that needs it.
  Result<net::Origin> streams, sts, kms;
};

/// They belong to `loop` and may be made on any thread; connections are made when something is asked.
std::unique_ptr<Inspect> inspect_dynamodb(net::EventLoop& loop, const DynamoDbOptions& options,
                                          const SideServices& services);
std::unique_ptr<Inspect> inspect_alternator(net::EventLoop& loop, const AlternatorOptions& options);

}  // namespace messina::endpoints
