// Tables as DynamoDB's control plane writes them: pure text in and out.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "endpoints/endpoint.h"

namespace messina::endpoints {

/// The answer of DescribeTable (without tags and TTL). Errors: corrupt, naming the member that is missing or
/// wrong.
Result<TableDescription> parse_describe_table(std::string_view body);

/// The attribute of an enabled TTL in an answer of DescribeTimeToLive.
Result<std::optional<std::string>> parse_time_to_live(std::string_view body);

/// Adds a page of ListTagsOfResource to `tags`; the result is the next page's token, empty at the end.
Result<std::string> parse_tags(std::string_view body, std::map<std::string, std::string>& tags);

/// The request of CreateTable: keys, the attribute definitions that keys use, indexes, billing and tags.
/// Never streams or TTL (PROTOCOL rule 19).
std::string create_table_request(const TableDescription& wanted);

/// {"TableName":"…"}
std::string table_request(const TableName& table);

/// {"ResourceArn":"…"} with the NextToken, if there is one.
std::string list_tags_request(std::string_view arn, std::string_view next_token);

/// TagResource. `tags`: at least one.
std::string tag_request(std::string_view arn, const std::map<std::string, std::string>& tags);

/// ListTables: the request for the page after `after`, and its answer. Errors: corrupt.
std::string list_tables_request(std::string_view after);
Result<Listing::Names> parse_list_tables(std::string_view body);

TableStatus table_status(std::string_view text);

}  // namespace messina::endpoints
