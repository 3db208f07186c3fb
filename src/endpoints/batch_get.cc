#include "endpoints/batch_get.h"

#include "base/json_text.h"

namespace messina::endpoints {

std::string batch_get_request(const TableName& table, std::span<const std::string_view> keys,
                              bool report_capacity) {
  std::string text =
      R"({"RequestItems":{)" + json_string(table.value) + R"(:{"ConsistentRead":true,"Keys":[)";
  std::size_t bytes = text.size() + 64;
  for (const std::string_view key : keys) bytes += key.size() + 1;
  text.reserve(bytes);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (i > 0) text += ',';
    text += keys[i];
  }
  text += report_capacity ? R"(]}},"ReturnConsumedCapacity":"TOTAL"})" : "]}}}";
  return text;
}

}  // namespace messina::endpoints
