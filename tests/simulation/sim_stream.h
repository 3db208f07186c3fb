// The stream of the World's source: shards with lineage that split, close and are trimmed, iterators that
// expire, and a server that throttles, fails and loses answers. It survives the processes.
#pragma once
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "endpoints/feed.h"
#include "sim_loop.h"
#include "world.h"

namespace messina::simulation {

/// Fewer than what a capture takes for the end of what there is to read.
inline constexpr std::uint32_t kMostEmptyPages = 3;

struct StreamPlan {
  endpoints::StreamView view = endpoints::StreamView::new_image;
  /// False as Alternator's: sequence numbers come from the clocks of several nodes, and records become
  /// readable only `lateness` after they were written.
  bool in_order = true;
  std::chrono::seconds lateness{0};
  std::chrono::seconds retention{60};
  Duration early_trim{};  ///< records may be trimmed so much before their retention has passed
  std::chrono::milliseconds shard_interval{200};
  std::uint32_t shards = 2;  ///< at first; 0: there is no stream until one is made
  std::uint32_t splits = 0;  ///< or successors without a split, over `splitting`
  Duration splitting{};
  std::uint32_t page_records = 5;
  double empty_pages = 0;  ///< of a page that has records: it has none, up to kMostEmptyPages times in a row
  Duration iterator_life = std::chrono::minutes(15);
  double throttled = 0, lost = 0, slow = 0;  ///< of a call
  double by_service = 0;                     ///< of a delete: TTL's
  Duration outage_after{}, outage_lasts{};   ///< every call fails meanwhile
  std::optional<Duration> replaced_after;    ///< it is switched off, and another one on, soon after
};

class SimStream {
 public:
  SimStream(World& world, const StreamPlan& plan);
  SimStream(const SimStream&) = delete;

  const StreamPlan& plan() const { return plan_; }
  World& world() { return world_; }
  bool outage() const;

  // ------------------------------------------------------------------ what the server answers at this
  // instant
  std::optional<endpoints::StreamArn> newest() const;
  Result<endpoints::StreamDescription> describe(const endpoints::StreamArn& arn);
  Result<void> enable(endpoints::StreamView view);
  Result<std::string> iterator(const endpoints::StreamArn& arn, const endpoints::ShardId& shard,
                               const endpoints::ShardStart& start);
  /// The body of an answer of GetRecords.
  Result<std::string> records(const std::string& iterator);

  // ------------------------------------------------------------------ the truth
  std::uint64_t trimmed_unread() const { return trimmed_unread_; }
  /// When the newest of them was written.
  std::optional<MonoTime> newest_trimmed_unread() const { return newest_trimmed_unread_; }
  std::uint64_t splits() const { return splits_; }

 private:
  struct Record {
    std::uint64_t number = 0;
    ItemState item;
    World::SourceState before;
    bool removed = false, by_service = false, read = false;
    MonoTime written{};
  };
  struct Shard {
    endpoints::ShardId id;
    std::optional<endpoints::ShardId> parent;
    std::uint32_t first = 0, last = 0;  ///< hashes of its keys
    bool closed = false;
    MonoTime closed_at{};
    std::deque<Record> records;
    std::uint64_t trimmed_to = 0;  ///< the greatest number that is gone
  };
  struct Stream {
    endpoints::StreamArn arn;
    endpoints::StreamView view = endpoints::StreamView::new_image;
    endpoints::StreamStatus status = endpoints::StreamStatus::enabled;
    std::vector<Shard> shards;
  };

  void make_stream(endpoints::StreamView view, endpoints::StreamStatus status);
  void switch_off();
  void split_one();
  void add_shard(Stream& stream, std::optional<endpoints::ShardId> parent, std::uint32_t first,
                 std::uint32_t last);
  void changed(KeyId key, World::SourceState before);
  std::uint64_t next_number();
  void trim();
  Stream* find(const std::string& arn);
  static Shard* find(Stream& stream, const std::string& id);
  std::string image(const Stream& stream, const Record& record) const;

  World& world_;
  const StreamPlan plan_;
  const MonoTime began_;
  std::vector<Stream> streams_;
  std::uint64_t next_stream_ = 1, next_shard_ = 1, last_number_ = 0;
  std::uint64_t trimmed_unread_ = 0, splits_ = 0;
  std::optional<MonoTime> newest_trimmed_unread_;
};

/// One process's feed.
std::unique_ptr<endpoints::Feed> make_feed(SimStream& stream, SimLoop& loop);

}  // namespace messina::simulation
