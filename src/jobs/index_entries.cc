#include "jobs/index_entries.h"

#include <algorithm>

#include <fmt/format.h>

namespace messina::jobs {

IndexEntries::IndexEntries(const item::KeySchema& table, const item::KeySchema& index,
                           const KeyedHash::Key& secret)
    : table_keys_(table), index_keys_(index), hash_(secret) {}

Result<IndexEntries::Entry> IndexEntries::read(std::string_view raw) {
  text_.clear();
  bytes_.clear();
  if (const Result<void> found = table_keys_.append(raw, &text_, &bytes_); !found)
    return fail(ErrorKind::corrupt,
                fmt::format("an item of the target has no key: {}", found.error().message));
  const std::size_t of_table = bytes_.size();
  Entry entry{};
  if (index_keys_.append(raw, nullptr, &bytes_)) entry.hash = hash_(bytes_);
  entry.key = text_;
  entry.key_bytes = std::string_view(bytes_).substr(0, of_table);
  return entry;
}

std::vector<std::string> attributes_of(const item::KeySchema& table, const item::KeySchema& index) {
  std::vector<std::string> names;
  const auto add = [&names](const item::KeyAttribute& attribute) {
    if (std::ranges::find(names, attribute.name) == names.end()) names.push_back(attribute.name);
  };
  for (const item::KeySchema* const schema : {&table, &index}) {
    add(schema->partition);
    if (schema->sort) add(*schema->sort);
  }
  return names;
}

bool IndexPlace::lacks() const { return wanted && std::ranges::find(held, *wanted) == held.end(); }

std::size_t IndexPlace::extra() const {
  return held.size() - static_cast<std::size_t>(wanted ? std::ranges::count(held, *wanted) : 0);
}

}  // namespace messina::jobs
