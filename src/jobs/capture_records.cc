#include "jobs/capture_records.h"

namespace messina::jobs {

using state::ChangeKind;

RecordReader::RecordReader(const item::KeySchema& key, const RecordRules& rules)
    : keys_(key), rules_(rules) {}

Result<std::string> RecordReader::key(std::string_view raw) const { return keys_.text(raw); }

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
