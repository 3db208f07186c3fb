#include "sim/engine/table.h"

#include <algorithm>

namespace messina::sim {

std::string_view Table::status(MonoTime now) const {
  if (gone_at) return "DELETING";
  if (!forced_status.empty()) return forced_status;
  if (now >= active_at) return "ACTIVE";
  return updating ? "UPDATING" : "CREATING";
}

const Row* Table::find(const RowKey& key) const {
  const auto found = rows_.find(key);
  return found == rows_.end() || found->second.deleted ? nullptr : &found->second;
}

void Table::account(const Row& row, int sign) {
  if (row.deleted) return;
  live_rows_ += static_cast<std::uint64_t>(sign);
  live_bytes_ += static_cast<std::uint64_t>(sign * static_cast<std::int64_t>(row.size_bytes));
}

bool Table::write(const RowKey& key, CheckedItem* item, std::optional<std::int64_t> stamp_us, Row* before) {
  const auto found = rows_.find(key);
  if (stamp_us && found != rows_.end()) {
    const Row& old = found->second;
    if (*stamp_us < old.stamp_us) return false;
    if (*stamp_us == old.stamp_us && (old.deleted || (item != nullptr && item->json < old.json)))
      return false;
  }
  if (found != rows_.end()) {
    account(found->second, -1);
    if (before != nullptr && !found->second.deleted) *before = std::move(found->second);
  }
  if (item == nullptr && !stamp_us) {
    if (found != rows_.end()) rows_.erase(found);
    return true;
  }
  Row& row = found != rows_.end() ? found->second : rows_[key];
  row.deleted = item == nullptr;
  row.stamp_us = stamp_us.value_or(0);
  row.json = item == nullptr ? std::string() : std::move(item->json);
  row.size_bytes = item == nullptr ? 0 : static_cast<std::uint32_t>(item->size_bytes);
  account(row, +1);
  return true;
}

void Table::clear() {
  rows_.clear();
  live_rows_ = 0;
  live_bytes_ = 0;
}

}  // namespace messina::sim
