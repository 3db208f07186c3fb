#include "jobs/capture_records.h"

#include <algorithm>

#include "base/json_text.h"

namespace messina::jobs {

namespace {

using state::ChangeKind;

/// `{"pk":{"S":"` without its first character.
std::string before_value(const item::KeyAttribute& attribute) {
  std::string text;
  append_json_string(text, attribute.name);
  text += ":{\"";
  text += item::to_string(attribute.type);
  text += "\":\"";
  return text;
}

bool is_plain_text(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return c != '"' && c != '\\' && static_cast<unsigned char>(c) >= 0x20; });
}

/// An integer as Number::to_string has it.
bool is_plain_integer(std::string_view text) {
  constexpr std::size_t kDigits = 38;
  if (text == "0") return true;
  if (text.starts_with('-')) text.remove_prefix(1);
  return !text.empty() && text.size() <= kDigits && text.front() != '0' &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// Takes the value off that begins `raw`; false if it may not be in its canonical form.
bool take_value(std::string_view& raw, const item::KeyAttribute& attribute, std::string_view before) {
  if (!raw.starts_with(before)) return false;
  raw.remove_prefix(before.size());
  const std::size_t end = raw.find('"');
  if (end == std::string_view::npos) return false;
  const std::string_view value = raw.substr(0, end);
  raw.remove_prefix(end);
  if (!raw.starts_with("\"}")) return false;
  raw.remove_prefix(2);
  return attribute.type == item::Type::S   ? is_plain_text(value)
         : attribute.type == item::Type::N ? is_plain_integer(value)
                                           : false;
}

}  // namespace

RecordReader::RecordReader(const item::KeySchema& key, const RecordRules& rules)
    : key_(key), rules_(rules), before_partition_("{" + before_value(key.partition)) {
  if (key.sort) before_sort_ = "," + before_value(*key.sort);
}

bool RecordReader::is_canonical(std::string_view raw) const {
  if (!take_value(raw, key_.partition, before_partition_)) return false;
  if (key_.sort && !take_value(raw, *key_.sort, before_sort_)) return false;
  return raw == "}";
}

Result<std::string> RecordReader::key(std::string_view raw) const {
  if (is_canonical(raw)) return std::string(raw);
  return item::key_text(raw, key_);
}

Result<RecordReader::Taken> RecordReader::read(const item::StreamRecord& record,
                                               std::int64_t otherwise_unix_ms, state::SpoolPut& put) const {
  // Within the second, which is all that the server tells, it may be younger.
  const bool older =
      record.created_unix_s && (*record.created_unix_s + 1) * 1000 <= rules_.history_from_unix_ms;
  if (older) return Taken::older;
  if (record.removed && record.by_service && !rules_.carry_expired) return Taken::expired;
  auto key = this->key(record.keys);
  if (!key) return fail(std::move(key.error()));
  put.key = std::move(*key);
  put.changed_unix_ms = record.created_unix_s ? *record.created_unix_s * 1000 : otherwise_unix_ms;
  put.kind = ChangeKind::reread;
  if (!rules_.images && !rules_.any_image) return Taken::put;
  const auto token = state::OrderToken::parse(record.sequence_number);
  if (!token) return Taken::put;
  const bool old = rules_.any_image && record.new_image.empty();
  const std::string_view image = old ? record.old_image : record.new_image;
  if (!record.removed && (image.empty() || image.size() > state::kMaxSpoolImageBytes)) return Taken::put;
  put.kind = record.removed ? ChangeKind::removal : ChangeKind::image;
  put.token = *token;
  if (!record.removed) put.image = image;
  return Taken::put;
}

}  // namespace messina::jobs
