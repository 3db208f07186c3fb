// Time to live: the deletion of expired items.
#include <charconv>

#include "base/json_text.h"
#include "sim/engine/engine.h"
#include "sim/engine/json_scan.h"

namespace messina::sim {
namespace {

/// Older values are taken for something else than a time (Developer Guide, "Using time to live").
constexpr std::int64_t kOldestSeconds = 5LL * 365 * 24 * 3600;

/// The number in an attribute, as Unix seconds; nullopt if it is none.
std::optional<double> seconds_in(std::string_view item, std::string_view attribute) {
  for (const Member& member : members_of(item)) {
    if (member.name != attribute) continue;
    const auto parts = members_of(member.value);
    if (parts.size() != 1 || parts.front().name != "N") return std::nullopt;
    const auto text = string_of(parts.front().value);
    if (!text) return std::nullopt;
    double seconds = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), seconds);
    if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
    return seconds;
  }
  return std::nullopt;
}

}  // namespace

std::uint64_t Engine::expire_items(Table& table) {
  const std::string& attribute = table.spec.ttl_attribute;
  if (attribute.empty()) return 0;
  const std::string name = json_string(attribute);  // as rows are rendered: most items need no closer look
  const auto present = static_cast<double>(std::chrono::system_clock::to_time_t(now().wall));
  std::vector<RowKey> expired;
  for (const auto& [key, row] : table.rows()) {
    if (row.deleted || row.json.find(name) == std::string::npos) continue;
    const auto at = seconds_in(row.json, attribute);
    if (at && *at <= present && *at > present - static_cast<double>(kOldestSeconds)) expired.push_back(key);
  }
  for (const RowKey& key : expired) {
    const std::string text = table.find(key)->json;
    const auto stamp = settings_.personality.last_write_wins ? std::optional(next_stamp(0)) : std::nullopt;
    apply(table, key, nullptr, stamp, ChangeCause::expiry, text);
  }
  return expired.size();
}

void Engine::sweep() {
  for (auto& [name, table] : tables_) {
    if (table.status(now().mono) == "ACTIVE") expire_items(table);
  }
}

}  // namespace messina::sim
