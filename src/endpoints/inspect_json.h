// Requests and answers of `messina check`: pure text in and out. Errors of parsing: corrupt.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "endpoints/inspect.h"

namespace messina::endpoints {

Result<TableSeen> parse_table_seen(std::string_view body);
Result<bool> parse_recovery(std::string_view body);
Result<std::vector<std::string>> parse_kinesis(std::string_view body);
Result<Quotas> parse_quotas(std::string_view body);
Result<std::vector<std::string>> parse_streams(std::string_view body);
Result<StreamSeen> parse_stream(std::string_view body);
Result<std::size_t> parse_records(std::string_view body);
Result<KeySeen> parse_key_seen(std::string_view body);
/// The attribute "version" of the only item of ScyllaDB's system.versions.
Result<std::string> parse_versions(std::string_view body);

/// A BatchGetItem of a key with `salt` in it, of the key's types.
std::string absent_key_request(const TableName& table, const item::KeySchema& key, std::string_view salt);
/// A BatchWriteItem of one delete whose key is not of the table's schema.
std::string refused_write_request(const TableName& table, const item::KeySchema& key);
/// A CreateTable whose key has no type.
std::string refused_create_request(const TableName& table);

}  // namespace messina::endpoints
