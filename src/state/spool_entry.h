// What is known of one key, what happens to it, and its bytes on disk. Pure; private to this room.
//
// A put is an entry that knows of one put only, and merging is associative: so the disk may keep puts apart
// and merge them when it likes (RocksDB's merge operator), and a put needs no read.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "state/order_token.h"
#include "state/spool_store.h"

namespace messina::state {

/// When something was captured: nanoseconds of the monotonic clock, which mean something in the same process
/// only, and the number of that process among all that opened the spool.
struct CaptureTime {
  std::uint32_t incarnation = 0;
  std::int64_t monotonic_ns = 0;
  bool operator==(const CaptureTime&) const = default;
};

/// The process that has the spool open.
struct Incarnation {
  std::uint32_t number = 0;
  MonoTime opened{};

  CaptureTime stamp(MonoTime time) const {
    return {number, std::chrono::nanoseconds(time.time_since_epoch()).count()};
  }
  /// What a former process captured counts as captured when this one opened the spool.
  MonoTime time_of(const CaptureTime& captured) const {
    if (captured.incarnation != number) return opened;
    return MonoTime(std::chrono::duration_cast<Duration>(std::chrono::nanoseconds(captured.monotonic_ns)));
  }
};

/// Bytes are views: of what was put, or of what was decoded.
struct EntryView {
  struct Image {
    Generation generation = 0;  ///< of the newest image put, this one or one that was older
    std::uint32_t domain = 0;   ///< number of the order domain
    OrderToken token;
    CaptureTime captured;
    bool removed = false;
    std::string_view bytes;
    bool operator==(const Image&) const = default;
  };
  Generation queued = 0;  ///< its place in the queue: generation of its oldest put
  std::int64_t oldest_change_unix_ms = 0;
  Generation mark = 0;  ///< generation of the newest mark; 0: none
  std::optional<Image> image;

  bool empty() const { return mark == 0 && !image; }
  Generation generation() const { return image && image->generation > mark ? image->generation : mark; }
  ChangeKind kind() const {
    if (mark != 0 || !image) return ChangeKind::reread;
    return image->removed ? ChangeKind::removal : ChangeKind::image;
  }
  bool operator==(const EntryView&) const = default;
};

/// The spool's own facts that a put needs.
struct PutContext {
  std::uint32_t domain = 0;  ///< number of the current domain
  bool same_domain = false;  ///< the batch is of that domain
  CaptureTime captured;
};
EntryView entry_of(const SpoolPut& put, Generation generation, const PutContext& context);

/// `newer` was put after `older`. An older image of the same domain does not replace a newer one; marks stay.
EntryView merged(const EntryView& older, const EntryView& newer);
/// What `entry` means once every image that was put before `barrier` is a mark. The mark's generation is the
/// barrier's.
EntryView behind_barrier(EntryView entry, Generation barrier);
/// Without what was put up to `generation`.
EntryView settled(EntryView entry, Generation generation);
/// What is left of an entry once the target has `generation` of it; empty() when it goes. What stays is
/// queued anew, at `fresh`; `oldest_left`: the oldest change put since the entry was taken, if one was.
EntryView remainder(const EntryView& entry, Generation barrier, Generation generation, Generation fresh,
                    std::optional<std::int64_t> oldest_left);

/// Whether nothing is left of an entry that is settled up to `generation`, without reading it. `newest_put`:
/// its generation when it was taken, or that of the newest put since. True is what remainder() says too.
constexpr bool goes_unread(Generation newest_put, Generation barrier, Generation generation) {
  return newest_put <= generation && barrier <= generation;
}

/// Appends the entry's bytes (format 1).
void encode(const EntryView& entry, std::string& out);
/// nullopt if they are no entry. The result refers to `bytes`.
std::optional<EntryView> decode(std::string_view bytes);

/// The entry as the applier gets it.
SpoolEntry to_spool_entry(std::string_view key, const EntryView& entry, const Incarnation& incarnation);
/// False while the watermark holds it back.
bool may_be_taken(const EntryView& entry, const TakeRequest& request, const Incarnation& incarnation);
/// False for a place in the queue at which a pass may end: what waits from there on was captured too late.
bool may_be_reached(const CaptureTime& queued, const TakeRequest& request, const Incarnation& incarnation);
/// refused if a key or an image is over its limit.
Result<void> check_limits(const SpoolBatch& batch);

/// Little-endian fixed and variable (LEB128) integers: the spool's records.
class RecordWriter {
 public:
  explicit RecordWriter(std::string& out) : out_(out) {}
  void u8(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void u64(std::uint64_t value);
  void i64(std::int64_t value) { u64(static_cast<std::uint64_t>(value)); }
  void varint(std::uint64_t value);
  void text(std::string_view bytes) {  ///< with its length
    varint(bytes.size());
    out_.append(bytes);
  }
  void rest(std::string_view bytes) { out_.append(bytes); }

 private:
  std::string& out_;
};

/// Reads what RecordWriter wrote. After an error all reads give zeros, and ok() is false.
class RecordReader {
 public:
  explicit RecordReader(std::string_view bytes) : left_(bytes) {}
  std::uint8_t u8();
  std::uint64_t u64();
  std::int64_t i64() { return static_cast<std::int64_t>(u64()); }
  std::uint64_t varint();
  std::string_view text();
  std::string_view rest() { return std::exchange(left_, {}); }
  bool ok() const { return ok_; }
  bool ended() const { return ok_ && left_.empty(); }

 private:
  std::string_view take(std::size_t size);
  std::string_view left_;
  bool ok_ = true;
};

}  // namespace messina::state
