#include "state/spool_entry.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include <fmt/format.h>

namespace messina::state {
namespace {

constexpr std::uint8_t kHasImage = 1;
constexpr std::uint8_t kRemoved = 2;
constexpr std::uint8_t kHasMark = 4;
constexpr std::uint8_t kPlaceApart = 8;  ///< the image's generation is not its place in the queue
constexpr std::uint8_t kAllFlags = kHasImage | kRemoved | kHasMark | kPlaceApart;

static_assert(std::endian::native == std::endian::little, "the records on disk are little-endian");

}  // namespace

EntryView entry_of(const SpoolPut& put, Generation generation, const PutContext& context) {
  EntryView entry{.queued = generation, .oldest_change_unix_ms = put.changed_unix_ms, .mark = 0, .image = {}};
  if (put.kind == ChangeKind::reread || !context.same_domain) {
    entry.mark = generation;
    return entry;
  }
  const bool removed = put.kind == ChangeKind::removal;
  entry.image = EntryView::Image{.generation = generation,
                                 .domain = context.domain,
                                 .token = put.token,
                                 .captured = context.captured,
                                 .removed = removed,
                                 .bytes = removed ? std::string_view() : std::string_view(put.image)};
  return entry;
}

EntryView merged(const EntryView& older, const EntryView& newer) {
  EntryView both{.queued = std::min(older.queued, newer.queued),
                 .oldest_change_unix_ms = std::min(older.oldest_change_unix_ms, newer.oldest_change_unix_ms),
                 .mark = std::max(older.mark, newer.mark),
                 .image = newer.image ? newer.image : older.image};
  if (older.image && newer.image) {
    const bool late = older.image->domain == newer.image->domain && newer.image->token < older.image->token;
    if (late) both.image = older.image;
    both.image->generation = std::max(older.image->generation, newer.image->generation);
  }
  return both;
}

EntryView behind_barrier(EntryView entry, Generation barrier) {
  if (entry.empty() || entry.queued >= barrier) return entry;
  entry.mark = std::max(entry.mark, barrier);
  if (entry.image && entry.image->generation < barrier) entry.image.reset();
  return entry;
}

EntryView settled(EntryView entry, Generation generation) {
  if (entry.mark <= generation) entry.mark = 0;
  if (entry.image && entry.image->generation <= generation) entry.image.reset();
  return entry;
}

EntryView remainder(const EntryView& entry, Generation barrier, Generation generation, Generation fresh,
                    std::optional<std::int64_t> oldest_left) {
  EntryView left = settled(behind_barrier(entry, barrier), generation);
  left.queued = fresh;
  if (oldest_left) left.oldest_change_unix_ms = *oldest_left;
  return left;
}

// flags, queued (8), oldest change (8), [mark (8)], [image: [generation (8)], domain, incarnation, captured
// (8), token, bytes to the end]. So a mark takes 25 bytes beside its key.
void encode(const EntryView& entry, std::string& out) {
  RecordWriter writer(out);
  std::uint8_t flags = 0;
  if (entry.image) flags |= kHasImage;
  if (entry.image && entry.image->removed) flags |= kRemoved;
  if (entry.image && entry.image->generation != entry.queued) flags |= kPlaceApart;
  if (entry.mark != 0) flags |= kHasMark;
  writer.u8(flags);
  writer.u64(entry.queued);
  writer.i64(entry.oldest_change_unix_ms);
  if (entry.mark != 0) writer.u64(entry.mark);
  if (!entry.image) return;
  const EntryView::Image& image = *entry.image;
  if ((flags & kPlaceApart) != 0) writer.u64(image.generation);
  writer.varint(image.domain);
  writer.varint(image.captured.incarnation);
  writer.i64(image.captured.monotonic_ns);
  writer.text(image.token.digits());
  writer.rest(image.bytes);
}

std::optional<EntryView> decode(std::string_view bytes) {
  RecordReader reader(bytes);
  const std::uint8_t flags = reader.u8();
  EntryView entry;
  entry.queued = reader.u64();
  entry.oldest_change_unix_ms = reader.i64();
  if ((flags & kHasMark) != 0) entry.mark = reader.u64();
  if ((flags & kHasImage) != 0) {
    EntryView::Image& image = entry.image.emplace(EntryView::Image());
    image.generation = (flags & kPlaceApart) != 0 ? reader.u64() : entry.queued;
    image.domain = static_cast<std::uint32_t>(reader.varint());
    image.captured.incarnation = static_cast<std::uint32_t>(reader.varint());
    image.captured.monotonic_ns = reader.i64();
    const std::string_view digits = reader.text();
    const auto token = digits.empty() ? OrderToken() : OrderToken::parse(digits);
    if (!token) return std::nullopt;
    image.token = *token;
    image.removed = (flags & kRemoved) != 0;
    image.bytes = reader.rest();
  }
  if (!reader.ended() || (flags & ~kAllFlags) != 0 || entry.empty()) return std::nullopt;
  return entry;
}

SpoolEntry to_spool_entry(std::string_view key, const EntryView& entry, const Incarnation& incarnation) {
  SpoolEntry out{.key = std::string(key),
                 .generation = entry.generation(),
                 .kind = entry.kind(),
                 .token = {},
                 .image = {},
                 .captured = {},
                 .oldest_change_unix_ms = entry.oldest_change_unix_ms};
  if (out.kind == ChangeKind::reread) return out;
  out.token = entry.image->token;
  out.image = entry.image->bytes;
  out.captured = incarnation.time_of(entry.image->captured);
  return out;
}

bool may_be_taken(const EntryView& entry, const TakeRequest& request, const Incarnation& incarnation) {
  const ChangeKind kind = entry.kind();
  if (kind == ChangeKind::reread) return true;
  const MonoTime before = kind == ChangeKind::image ? request.images_before : request.removals_before;
  return before == MonoTime::max() || incarnation.time_of(entry.image->captured) < before;
}

bool may_be_reached(const CaptureTime& queued, const TakeRequest& request, const Incarnation& incarnation) {
  const MonoTime before = std::max(request.images_before, request.removals_before);
  return before == MonoTime::max() || incarnation.time_of(queued) < before;
}

Result<void> check_limits(const SpoolBatch& batch) {
  for (const SpoolPut& put : batch.puts) {
    if (put.key.empty()) return fail(ErrorKind::internal, "a change without a key came to the spool");
    if (put.key.size() > kMaxSpoolKeyBytes || put.image.size() > kMaxSpoolImageBytes) {
      return fail(ErrorKind::refused,
                  fmt::format("a change of {} bytes with a key of {} is over the spool's limits ({} and {})",
                              put.image.size(), put.key.size(), kMaxSpoolImageBytes, kMaxSpoolKeyBytes));
    }
  }
  return {};
}

void RecordWriter::u64(std::uint64_t value) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out_.append(bytes, sizeof value);
}

void RecordWriter::varint(std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) u8(static_cast<std::uint8_t>(value | 0x80));
  u8(static_cast<std::uint8_t>(value));
}

std::string_view RecordReader::take(std::size_t size) {
  if (!ok_ || left_.size() < size) {
    ok_ = false;
    left_ = {};
    return {};
  }
  const std::string_view taken = left_.substr(0, size);
  left_.remove_prefix(size);
  return taken;
}

std::uint8_t RecordReader::u8() {
  const std::string_view bytes = take(1);
  return bytes.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(bytes.front());
}

std::uint64_t RecordReader::u64() {
  const std::string_view bytes = take(sizeof(std::uint64_t));
  std::uint64_t value = 0;
  if (!bytes.empty()) std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

std::uint64_t RecordReader::varint() {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const std::uint8_t byte = u8();
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return value;
  }
  ok_ = false;
  return 0;
}

std::string_view RecordReader::text() {
  const std::uint64_t size = varint();
  return take(static_cast<std::size_t>(std::min<std::uint64_t>(size, left_.size() + 1)));
}

}  // namespace messina::state
