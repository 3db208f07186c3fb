#include "endpoints/batch_get.h"

#include "base/json_text.h"

namespace messina::endpoints {

std::string batch_get_request(const TableName& table, std::span<const std::string_view> keys,
                              bool report_capacity) {
  std::string text =
      R"({"RequestItems":{)" + json_string(table.value) + R"(:{"ConsistentRead":true,"Keys":[)";
  const std::string_view end = report_capacity ? R"(]}},"ReturnConsumedCapacity":"TOTAL"})" : "]}}}";
  const std::size_t begun = text.size();
  std::size_t bytes = begun + end.size() + keys.size();
  for (const std::string_view key : keys) bytes += key.size();
  // One growth for all: keys are short, and there are very many.
  text.resize_and_overwrite(bytes, [&](char* out, std::size_t) {
    char* at = out + begun;
    for (const std::string_view key : keys) {
      if (at != out + begun) *at++ = ',';
      at += key.copy(at, key.size());
    }
    return static_cast<std::size_t>(at + end.copy(at, end.size()) - out);
  });
  return text;
}

}  // namespace messina::endpoints
