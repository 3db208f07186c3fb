// The spool in memory: what SpoolStore's calls mean, without disk, threads and time. The simulation's spool
// is made of it, and the real one is held against it.
#pragma once
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "state/spool_entry.h"
#include "state/spool_store.h"

namespace messina::state {

/// Copies are independent: a copy is what a disk has at one moment. Not thread-safe.
class SpoolModel {
 public:
  explicit SpoolModel(std::string id) : id_(std::move(id)) {}

  /// A process opens it: holds and the pass of the former one are gone.
  void open(MonoTime now);

  SpoolStamp stamp() const { return {id_, counter_}; }
  const std::string& domain() const { return domain_; }
  std::vector<ShardPosition> positions() const;

  Result<PutAnswer> put(const SpoolBatch& batch);
  Taken take(const TakeRequest& request);
  void settle(std::span<const Settled> written, MonoTime now);
  void release(std::span<const std::string> keys);
  void declare_gap();
  void begin_domain(const std::string& domain);
  /// Turns the oldest images into marks until what is kept takes `max_bytes` at most.
  Reduced reduce_to(std::uint64_t max_bytes);

  void keep_touches();
  void drop_touches();
  bool keeps_touches() const { return keeps_touches_; }
  std::vector<Touch> touches(const std::string& after, std::size_t most) const;
  void forget_touches(std::span<const Touch> judged);
  std::vector<KeyStand> look_up(std::span<const std::string> keys) const;

  std::size_t keys() const { return entries_.size(); }
  std::uint64_t bytes() const;
  std::optional<std::int64_t> oldest_change_unix_ms() const;
  /// What the spool knows of a key, held or not.
  std::optional<SpoolEntry> find(const std::string& key) const;

 private:
  struct Entry {
    EntryView view;  ///< its image's bytes are not used
    std::string bytes;
    EntryView whole() const;
  };
  struct Hold {
    std::optional<std::int64_t> oldest_put_since;
  };
  struct Queued {
    std::string key;
    CaptureTime captured;
  };
  void store(const std::string& key, const EntryView& entry);

  std::string id_;
  std::uint64_t counter_ = 0;
  Generation next_ = 1;
  Generation barrier_ = 0;
  std::string domain_;
  std::uint32_t domain_number_ = 0;
  Incarnation incarnation_;
  std::map<std::string, Entry> entries_;
  std::map<Generation, Queued> queue_;
  std::map<std::string, ShardPosition> positions_;
  std::map<std::string, Hold> held_;
  bool keeps_touches_ = false;
  std::map<std::string, Generation> touches_;  ///< in the order of their keys' bytes
  Generation pass_ = 0;                        ///< the place that the pass has reached
};

}  // namespace messina::state
