// Power cuts under spool and ledger together: what the order of calls to the two promises (PROTOCOL rule 10)
// holds on the real stores.
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "state/ledger.h"
#include "state/power_cut_env.h"
#include "state/power_cut_vfs.h"
#include "state/spool_test_support.h"

namespace messina::state {
namespace {

using testing::image;
using testing::kStream;

constexpr const char* kFolder = "/migration";

/// The order in which a migration calls the two, and what it must not be.
enum class Order : std::uint8_t {
  right,
  entry_goes_before_its_reject,  ///< against rule 7
  images_marked_before_the_gap,  ///< against rule 15: a crash between the two forgets why
  ledger_ahead_of_the_spool,     ///< against rule 10: every cut is then a gap
};

/// A migration in miniature until the power goes, and what is found afterwards. Each key is put once.
class Story {
 public:
  Story(std::uint64_t seed, Order order)
      : random_(seed),
        order_(order),
        env_(rocksdb::NewCompositeEnv(std::make_shared<testing::Files>(power_))),
        spool_(testing::on(*env_)),
        ledger_(open_ledger(disk_)) {}

  /// What is wrong after the cut; empty if nothing is.
  std::vector<std::string> tell() {
    if (!spool_.begin_domain(kStream) || !ledger_->begin({})) return {"the stores cannot be begun"};
    // The power goes in a call of the spool, or in one of the ledger.
    if (random_.chance(0.5)) {
      power_->operations_left = static_cast<std::int64_t>(random_.below(400));
    } else {
      ledger_calls_left_ = random_.below(8);
    }
    while (on_) step();
    return look();
  }

 private:
  static std::unique_ptr<Ledger> open_ledger(const testing::Disk& disk) {
    auto opened = Ledger::open(kFolder, {.vfs = disk.vfs()});
    EXPECT_TRUE(opened) << opened.error().message;
    return opened ? std::move(*opened) : nullptr;
  }

  void step() {
    const double drawn = random_.unit();
    if (drawn < 0.4) {
      put();
    } else if (drawn < 0.6) {
      beat();
    } else if (drawn < 0.9) {
      apply();
    } else {
      declare_gap();
    }
  }

  bool to_ledger(Commit commit) {
    commit.heartbeat_unix_ms = 1;
    const std::size_t before = disk_.operations();
    if (const auto done = ledger_->commit(commit); !done) ADD_FAILURE() << done.error().message;
    if (ledger_calls_left_-- > 0) return true;
    cut_at_ = before + random_.below(disk_.operations() - before + 1);
    return on_ = false;
  }
  bool to_spool(const Result<void>& answer) { return on_ = answer.has_value(); }

  void put() {
    SpoolBatch batch;
    batch.domain = kStream;
    for (std::uint64_t n = 1 + random_.below(30); n > 0; --n) {
      const std::uint64_t number = ++puts_;
      batch.puts.push_back(
          image("key-" + std::to_string(number), number, std::string(random_.below(2000), 'x')));
    }
    if (!to_spool(spool_.put(batch))) return;
    for (const SpoolPut& put : batch.puts) kept_.insert(put.key);
  }

  void beat() {
    Commit commit;
    commit.spool = spool_.spool->stamp();
    if (order_ == Order::ledger_ahead_of_the_spool) ++commit.spool->counter;
    to_ledger(std::move(commit));
  }

  /// Some are written, some refused.
  void apply() {
    const auto taken = spool_.spool->take({.restart = true, .max_entries = 1 + random_.below(15)});
    if (!taken) {
      on_ = false;
      return;
    }
    std::vector<Settled> settled;
    Commit commit;
    for (const SpoolEntry& entry : taken->entries) {
      settled.push_back({entry.key, entry.generation});
      if (!random_.chance(0.3)) continue;
      Reject reject;
      reject.item = reject.key = entry.key;
      commit.rejects.push_back(std::move(reject));
    }
    const std::vector<Reject> refused = commit.rejects;
    const auto take_off = [&] {
      for (const Settled& one : settled) kept_.erase(one.key);
      for (const Reject& reject : refused) refused_.insert(reject.key);
      to_spool(spool_.settle(settled));
    };
    if (order_ == Order::entry_goes_before_its_reject) {
      take_off();
      // The next synced put makes it durable.
      if (on_) put();
      if (on_) to_ledger(std::move(commit));
    } else if (to_ledger(std::move(commit))) {
      take_off();
    }
  }

  void declare_gap() {
    LiveRecord live;
    live.gaps.push_back({"position_too_old", "shard", 0, 0});
    Commit commit;
    commit.live = live;
    if (order_ == Order::images_marked_before_the_gap) {
      if (to_spool(spool_.gap())) to_ledger(std::move(commit));
    } else if (to_ledger(std::move(commit))) {
      to_spool(spool_.gap());
    }
  }

  std::vector<std::string> look() {
    std::vector<std::string> wrong;
    spool_.spool.reset();
    ledger_.reset();
    const testing::Disk after(disk_.after_power_cut(cut_at_.value_or(disk_.operations()), random_));
    power_->cut(random_);
    spool_.open();
    const auto ledger = open_ledger(after);
    if (!spool_.spool || !ledger) return {"a store cannot be opened"};
    const auto job = ledger->load();
    const auto rejects = ledger->rejects({.live_only = false, .after_id = {}, .limit = 100'000});
    if (!job || !rejects) return {"the ledger cannot be read"};
    if (!*job) return wrong;  // cut in its first commit, before anything was promised

    const SpoolMatch match = state::match((*job)->spool, spool_.spool->stamp());
    if (match != SpoolMatch::same && match != SpoolMatch::first)
      wrong.push_back("the spool passes for another");
    std::map<std::string, ChangeKind> found;
    for (const SpoolEntry& entry : spool_.look()) found[entry.key] = entry.kind;
    std::set<std::string> recorded;
    for (const Reject& reject : *rejects) recorded.insert(reject.key);
    for (const std::string& key : kept_)
      if (!found.contains(key)) wrong.push_back(key + " was put and is lost");
    for (const std::string& key : refused_)
      if (!found.contains(key) && !recorded.contains(key))
        wrong.push_back(key + " was refused and is forgotten");
    for (const auto& [key, kind] : found)
      if (kind == ChangeKind::reread && !(*job)->live.gap())
        wrong.push_back(key + " is a mark without a gap");
    return wrong;
  }

  Random random_;
  const Order order_;
  std::shared_ptr<testing::Power> power_ = std::make_shared<testing::Power>();
  std::unique_ptr<rocksdb::Env> env_;
  testing::Disk disk_;
  testing::SpoolOnDisk spool_;
  std::unique_ptr<Ledger> ledger_;
  std::uint64_t ledger_calls_left_ = std::numeric_limits<std::uint64_t>::max();
  std::optional<std::size_t> cut_at_;
  bool on_ = true;
  std::uint64_t puts_ = 0;
  std::set<std::string> kept_;     ///< acknowledged, and not taken off
  std::set<std::string> refused_;  ///< taken off because a reject stands for it
};

constexpr std::uint64_t kStories = 80;

TEST(TwoStoresPower, ACutKeepsWhatTheOrderOfCallsPromises) {
  for (std::uint64_t seed = 1; seed <= kStories; ++seed) {
    for (const std::string& wrong : Story(seed, Order::right).tell())
      ADD_FAILURE() << "seed " << seed << ": " << wrong;
  }
}

// The test itself is put to the test.
TEST(TwoStoresPower, InAnotherOrderItIsFound) {
  for (const Order order : {Order::entry_goes_before_its_reject, Order::images_marked_before_the_gap,
                            Order::ledger_ahead_of_the_spool}) {
    std::uint64_t found = 0;
    for (std::uint64_t seed = 1; seed <= kStories; ++seed) found += Story(seed, order).tell().empty() ? 0 : 1;
    EXPECT_GT(found, 0u) << "order " << static_cast<int>(order);
  }
}

}  // namespace
}  // namespace messina::state
