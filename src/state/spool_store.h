// The spool: the one durable map from a key to its newest change, between whoever learns of changes (capture,
// verify, repair) and the applier. The interface that jobs see, and the meaning of its calls.
//
// An entry per key has the newest image with its order token and, apart from it, a re-read mark. Every put
// gets a fresh generation: a number that only grows, over restarts too. While a mark stands, the image is
// ignored. What was put is removed by naming the generation that was written, and only as far as that:
// whatever came later stays (PROTOCOL rule 8).
//
// Contract of crash order: when put(), declare_gap() or begin_domain() has been answered, its contents
// survive kill -9 and power cuts, all of it or, before that, none of it. Everything else (settle(), lazy
// positions) becomes durable with or before the next of these: what a crash takes back is always the newest
// part, in the order in which the calls were answered. Order across the two stores (rule 10): positions
// before the first page is read; a reject into the ledger before settle(); marks here before "repaired"
// there.
#pragma once
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/async.h"
#include "base/clock.h"
#include "base/error.h"
#include "state/order_token.h"
#include "state/spool_stamp.h"

namespace messina::state {

/// A put's number. 0 is none.
using Generation = std::uint64_t;

/// What an input says about a key.
enum class ChangeKind : std::uint8_t {
  image,    ///< the item as it is after the change
  removal,  ///< the item is gone
  reread,   ///< a mark: only the source knows
};

/// Bytes of a key. DynamoDB's limits are 2,048 for a partition key and 1,024 for a sort key (developer guide,
/// "Quotas"); escaped as JSON a byte can take six.
inline constexpr std::size_t kMaxSpoolKeyBytes = 32 * 1024;
/// Bytes of an image: items have 400 KB at most, and their JSON can be a few times that.
inline constexpr std::size_t kMaxSpoolImageBytes = 8 * 1024 * 1024;

/// One change of one key.
struct SpoolPut {
  /// Equal for equal keys. The spool keeps it as it is, so a caller that must rebuild the key from it (to
  /// delete, to read again) chooses bytes that say it all.
  std::string key;
  ChangeKind kind = ChangeKind::reread;
  OrderToken token = {};             ///< of an image or a removal
  std::string image = {};            ///< of an image: the item's raw DynamoDB JSON
  std::int64_t changed_unix_ms = 0;  ///< when the source changed, for the lag; 0: not known
};

enum class ShardState : std::uint8_t {
  waiting,  ///< for its parent to be read to its end
  reading,
  drained,  ///< read to its end, or closed before the capture began
};

/// Where the capture of a shard stands (rules 10, 13, 14).
struct ShardPosition {
  std::string shard;
  std::string sequence_number;          ///< of the last record read; empty: the shard's beginning
  std::int64_t read_until_unix_ms = 0;  ///< what was written before was read, by the server's clock
  ShardState state = ShardState::reading;
  std::uint64_t epoch = 0;  ///< of capture
  std::string parent = {};  ///< the shard that it goes on from; empty: none
  bool operator==(const ShardPosition&) const = default;
};

/// Events and where their shards stand after them: one atomic step.
struct SpoolBatch {
  /// Order domain of the tokens: the stream's ARN. Images of another domain than the spool's (begin_domain())
  /// become marks.
  std::string domain;
  /// For the watermark: between the answer that brought the events and the call.
  MonoTime captured{};
  std::vector<SpoolPut> puts;
  std::vector<ShardPosition> positions;       ///< each replaces its shard's former one
  std::vector<std::string> forgotten_shards;  ///< positions that go
  /// With positions only (empty polls): do not wait for the disk.
  bool lazy = false;
};

/// The generations of a batch: first, first + 1, … in the order of its puts. Both 0 for a batch without puts.
struct PutAnswer {
  Generation first = 0;
  Generation last = 0;
};

/// An entry in the caller's hands.
struct SpoolEntry {
  std::string key;
  Generation generation = 0;  ///< of the newest put: what settle() is to be given
  ChangeKind kind = ChangeKind::reread;
  OrderToken token;
  std::string image;                       ///< of an image
  MonoTime captured{};                     ///< of an image or a removal: `c` of the watermark rule
  std::int64_t oldest_change_unix_ms = 0;  ///< of the changes that it stands for
};

struct TakeRequest {
  /// Begins a new pass from the oldest entry; else the pass goes on where the last call ended.
  bool restart = false;
  std::size_t max_entries = 1000;            ///< 1 to 10,000
  std::size_t max_bytes = 4u * 1024 * 1024;  ///< of keys and images; one entry is given in any case
  /// The watermark (rule 11), one for images and one for removals: entries captured at or after it stay where
  /// they are. MonoTime::max() for what may always go (puts to a stamped target). Marks may always go.
  MonoTime images_before = MonoTime::max();
  MonoTime removals_before = MonoTime::max();
};

struct Taken {
  std::vector<SpoolEntry> entries;
  /// The pass is over: what is left is held, or must wait for the watermark, or is not there yet. Begin
  /// another one after a pause.
  bool end = false;
};

struct Settled {
  std::string key;
  /// An acknowledged write has brought the target to this generation: of the image that was written, or the
  /// entry's when it was taken, before the read that was written was sent.
  Generation generation = 0;
};

struct Reduced {
  std::uint64_t keys = 0;  ///< at most so many images are marks now; each costs a read of the source
};

/// A key that was put while touches are kept.
struct Touch {
  std::string key;
  Generation generation = 0;  ///< of its newest put
  bool operator==(const Touch&) const = default;
};

/// How a key stands now.
struct KeyStand {
  bool waits = false;      ///< it has an entry, in the applier's hands or not
  Generation touched = 0;  ///< of its touch; 0: it has none
  bool operator==(const KeyStand&) const = default;
};

struct SpoolFigures {
  /// Keys that wait, at most. Exact when no key was put twice; an entry that coalesces may be counted more
  /// than once until the applier or the spool's own cleaning has passed it. 0 only if nothing waits.
  std::uint64_t keys_at_most = 0;
  std::uint64_t disk_bytes = 0;       ///< of all files of the spool
  std::uint64_t disk_free_bytes = 0;  ///< that its file system has left for us
  /// Of the oldest entry; nullopt if nothing waits.
  std::optional<std::int64_t> oldest_change_unix_ms;
  bool full = false;      ///< the last put was refused for want of disk space
  bool reducing = false;  ///< the disk space of a reduction is being given back
};

/// Error::code of what a full disk refuses; the kind is ErrorKind::disk. Nothing was put. It is over as soon
/// as there is room again: try later.
inline constexpr const char* kSpoolFull = "SpoolFull";
inline bool is_spool_full(const Error& error) { return error.code == kSpoolFull; }

/// One table's spool. Thread-safe; a coroutine that awaits a call resumes on its own executor. Arguments must
/// live until the call is answered: with `co_await`, named variables of the caller do. A call beyond the
/// bound of those that may wait is answered `busy` and has not run.
///
/// There is one applier: take(), settle() and release() share one set of held keys and one pass over the
/// queue.
class SpoolStore {
 public:
  virtual ~SpoolStore() = default;

  /// As of the last synced commit. The ledger may store it as soon as it is given.
  virtual SpoolStamp stamp() const = 0;
  virtual Task<Result<std::vector<ShardPosition>>> positions() = 0;
  /// The domain whose images are kept; empty: none yet, every image becomes a mark.
  virtual Task<Result<std::string>> domain() = 0;

  /// Events and positions, synced unless `lazy`. An older image of a key never replaces a newer one, and
  /// a newer one takes over its place in the queue. Errors: disk (kSpoolFull among them), refused (a key or
  /// an image over its limit; the batch is not put), busy.
  virtual Task<Result<PutAnswer>> put(const SpoolBatch& batch) = 0;

  /// The next entries of the pass, oldest first by the time of the first put that each stands for. They are
  /// held for the caller, and skipped, until settle() or release().
  virtual Task<Result<Taken>> take(const TakeRequest& request) = 0;
  /// Takes the named generations off and ends the hold. An entry goes if nothing newer was put meanwhile;
  /// otherwise the newer part stays. Keys that are not held are passed over. Not synced: a crash may bring an
  /// entry back, and its write is then repeated.
  virtual Task<Result<void>> settle(const std::vector<Settled>& written) = 0;
  /// Ends holds; the entries stay as they are, in their places.
  virtual void release(std::span<const std::string> keys) = 0;

  /// Turns every image into a mark (rule 15): its generation is that of this call, so a write on its way does
  /// not discharge it.
  virtual Task<Result<void>> declare_gap() = 0;
  /// Sets the order domain. Another than the former one is a gap.
  virtual Task<Result<void>> begin_domain(const std::string& domain) = 0;
  /// Rule 12: if the files of the spool take more than `max_bytes`, turns as many of its oldest images into
  /// marks as should bring it to nine tenths of that. The disk space is given back by and by; until then
  /// SpoolFigures::reducing is set and another call does nothing.
  virtual Task<Result<Reduced>> reduce_to(std::uint64_t max_bytes) = 0;

  virtual Task<Result<SpoolFigures>> figures() = 0;

  // Touches: which keys were put since a verification began (PROTOCOL rules 17 and 18), whatever became of
  // their entries.

  /// From now on the key of every put is kept, with and as durable as the put; what was kept before goes.
  /// Synced.
  virtual Task<Result<void>> keep_touches() = 0;
  /// Forgets them, and keeps none from now on. Synced.
  virtual Task<Result<void>> drop_touches() = 0;
  /// Whether every put since the last keep_touches() was kept.
  virtual Task<Result<bool>> keeps_touches() = 0;
  /// Those after `after`, in the order of their keys' bytes, at most `most`.
  virtual Task<Result<std::vector<Touch>>> touches(const std::string& after, std::size_t most) = 0;
  /// Takes off those whose generation is still the one named. Not synced, as settle(). Of many, those that
  /// are between them and stay are written again: they should be next to each other, as touches() gives them.
  virtual Task<Result<void>> forget_touches(const std::vector<Touch>& judged) = 0;
  /// Of each key, in their order.
  virtual Task<Result<std::vector<KeyStand>>> look_up(const std::vector<std::string>& keys) = 0;
};

}  // namespace messina::state
