// BatchGetItem's request: pure text. Its answers are item::LookupSplitter's.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "endpoints/endpoint.h"

namespace messina::endpoints {

/// Source: Amazon DynamoDB API Reference, BatchGetItem: "as many as 100 items". ScyllaDB takes as many, too.
inline constexpr std::size_t kMaxLookupKeys = 100;

/// Consistent reads of raw keys.
std::string batch_get_request(const TableName& table, std::span<const std::string_view> keys,
                              bool report_capacity);

}  // namespace messina::endpoints
