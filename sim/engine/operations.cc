#include "sim/engine/operations.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace messina::sim {

const std::map<std::string, Engine::OperationInfo, std::less<>>& Engine::operations() {
  static const std::map<std::string, OperationInfo, std::less<>> kOperations = {
      {"CreateTable",
       {&Engine::create_table,
        {"TableName", "KeySchema", "AttributeDefinitions", "BillingMode", "ProvisionedThroughput",
         "GlobalSecondaryIndexes", "LocalSecondaryIndexes", "StreamSpecification", "SSESpecification", "Tags",
         "TableClass", "DeletionProtectionEnabled", "OnDemandThroughput", "WarmThroughput"}}},
      {"DescribeTable", {&Engine::describe_table, {"TableName"}}},
      {"UpdateTable",
       {&Engine::update_table,
        {"TableName", "AttributeDefinitions", "BillingMode", "ProvisionedThroughput",
         "GlobalSecondaryIndexUpdates", "StreamSpecification", "TableClass", "DeletionProtectionEnabled",
         "OnDemandThroughput", "WarmThroughput"}}},
      {"DeleteTable", {&Engine::delete_table, {"TableName"}}},
      {"ListTables", {&Engine::list_tables, {"Limit", "ExclusiveStartTableName"}}},
      {"PutItem",
       {&Engine::put_item,
        {"TableName", "Item", "ConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues",
         "ReturnValues", "ReturnConsumedCapacity", "ReturnItemCollectionMetrics",
         "ReturnValuesOnConditionCheckFailure"}}},
      {"GetItem",
       {&Engine::get_item,
        {"TableName", "Key", "ConsistentRead", "ProjectionExpression", "ExpressionAttributeNames",
         "ReturnConsumedCapacity"}}},
      {"UpdateItem",
       {&Engine::update_item,
        {"TableName", "Key", "UpdateExpression", "ConditionExpression", "ExpressionAttributeNames",
         "ExpressionAttributeValues", "ReturnValues", "ReturnConsumedCapacity", "ReturnItemCollectionMetrics",
         "ReturnValuesOnConditionCheckFailure"}}},
      {"DeleteItem",
       {&Engine::delete_item,
        {"TableName", "Key", "ConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues",
         "ReturnValues", "ReturnConsumedCapacity", "ReturnItemCollectionMetrics",
         "ReturnValuesOnConditionCheckFailure"}}},
      {"Query",
       {&Engine::query,
        {"TableName", "IndexName", "KeyConditionExpression", "FilterExpression", "ProjectionExpression",
         "ExpressionAttributeNames", "ExpressionAttributeValues", "ConsistentRead", "ScanIndexForward",
         "Limit", "ExclusiveStartKey", "Select", "ReturnConsumedCapacity"}}},
      {"Scan",
       {&Engine::scan,
        {"TableName", "IndexName", "FilterExpression", "ProjectionExpression", "ExpressionAttributeNames",
         "ExpressionAttributeValues", "ConsistentRead", "Limit", "ExclusiveStartKey", "Select", "Segment",
         "TotalSegments", "ReturnConsumedCapacity"}}},
      {"BatchGetItem", {&Engine::batch_get, {"RequestItems", "ReturnConsumedCapacity"}}},
      {"BatchWriteItem",
       {&Engine::batch_write, {"RequestItems", "ReturnConsumedCapacity", "ReturnItemCollectionMetrics"}}},
      {"UpdateTimeToLive", {&Engine::update_ttl, {"TableName", "TimeToLiveSpecification"}}},
      {"DescribeTimeToLive", {&Engine::describe_ttl, {"TableName"}}},
      {"TagResource", {&Engine::tag_resource, {"ResourceArn", "Tags"}}},
      {"UntagResource", {&Engine::untag_resource, {"ResourceArn", "TagKeys"}}},
      {"ListTagsOfResource", {&Engine::list_tags, {"ResourceArn", "NextToken"}}},
      {"DescribeLimits", {&Engine::describe_limits, {}, kDynamoDb, false}},
      {"DescribeContinuousBackups", {&Engine::describe_backups, {"TableName"}}},
      {"UpdateContinuousBackups",
       {&Engine::update_backups, {"TableName", "PointInTimeRecoverySpecification"}, kDynamoDb, false}},
      {"EnableKinesisStreamingDestination",
       {&Engine::enable_kinesis, {"TableName", "StreamArn"}, kDynamoDb, false}},
      {"DescribeKinesisStreamingDestination", {&Engine::describe_kinesis, {"TableName"}, kDynamoDb, false}},
      {"PutResourcePolicy", {&Engine::put_resource_policy, {"ResourceArn", "Policy"}, kDynamoDb, false}},
      {"GetResourcePolicy", {&Engine::get_resource_policy, {"ResourceArn"}, kDynamoDb, false}},
      {"ListStreams", {&Engine::list_streams, {"TableName", "Limit", "ExclusiveStartStreamArn"}, kStreams}},
      {"DescribeStream",
       {&Engine::describe_stream, {"StreamArn", "Limit", "ExclusiveStartShardId", "ShardFilter"}, kStreams}},
      {"GetShardIterator",
       {&Engine::shard_iterator, {"StreamArn", "ShardId", "ShardIteratorType", "SequenceNumber"}, kStreams}},
      {"GetRecords", {&Engine::get_records, {"ShardIterator", "Limit"}, kStreams}},
      {"DescribeKey", {&Engine::describe_key, {"KeyId"}, kKeyManagement, false}},
      {"DescribeEndpoints", {&Engine::describe_endpoints, {}}},
      {"GetMetricData",
       {&Engine::get_metric_data,
        {"StartTime", "EndTime", "MetricDataQueries", "ScanBy"},
        kCloudWatch,
        false}},
  };
  return kOperations;
}

Outcome<void> Engine::check_parameters(const OperationInfo& operation, const Parameters& parameters) const {
  // Would change what the call does, so that ignoring them, as unknown ones on ScyllaDB, would be a lie.
  static const std::set<std::string_view> kLegacy = {"AttributesToGet",     "AttributeUpdates", "Expected",
                                                     "ConditionalOperator", "KeyConditions",    "QueryFilter",
                                                     "ScanFilter"};
  for (const Member& member : parameters.all()) {
    if (kLegacy.contains(member.name)) {
      return invalid(fmt::format("messina-sim does not know the legacy parameter {}", member.name));
    }
    if (settings_.personality.strict_parameters &&
        std::ranges::find(operation.parameters, member.name) == operation.parameters.end()) {
      return invalid(fmt::format("messina-sim does not know the parameter {}", member.name));
    }
  }
  return {};
}

}  // namespace messina::sim
