// For tests: a spool on disk whose calls return, and random calls.
#pragma once
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/random.h"
#include "state/spool.h"
#include "state/temp_folder.h"

namespace messina::state::testing {

inline constexpr const char* kStream = "arn:aws:dynamodb:us-east-1:1:table/orders/stream/1";

inline OrderToken token(std::uint64_t number) {
  return OrderToken::parse("100000000000000000000" + std::to_string(1'000'000'000 + number)).value();
}

inline SpoolPut image(std::string key, std::uint64_t number, std::string bytes, std::int64_t changed = 0) {
  return {std::move(key), ChangeKind::image, token(number), std::move(bytes), changed};
}
inline SpoolPut removal(std::string key, std::uint64_t number, std::int64_t changed = 0) {
  return {std::move(key), ChangeKind::removal, token(number), {}, changed};
}
inline SpoolPut reread(std::string key, std::int64_t changed = 0) {
  return {std::move(key), ChangeKind::reread, {}, {}, changed};
}

inline bool operator==(const SpoolEntry& a, const SpoolEntry& b) {
  return a.key == b.key && a.generation == b.generation && a.kind == b.kind && a.token == b.token &&
         a.image == b.image && a.captured == b.captured && a.oldest_change_unix_ms == b.oldest_change_unix_ms;
}
inline std::string describe(const std::vector<SpoolEntry>& entries) {
  std::string text;
  for (const SpoolEntry& entry : entries) {
    text += entry.key + " " + std::to_string(entry.generation) + " kind " +
            std::to_string(static_cast<int>(entry.kind)) + " \"" + entry.image + "\" token " +
            std::string(entry.token.digits()) + " captured " +
            std::to_string(entry.captured.time_since_epoch().count()) + " oldest " +
            std::to_string(entry.oldest_change_unix_ms) + "\n";
  }
  return text;
}
inline std::string describe(const std::vector<Touch>& touches) {
  std::string text;
  for (const Touch& touch : touches) text += touch.key + " " + std::to_string(touch.generation) + "\n";
  return text;
}
inline bool same(const std::vector<SpoolEntry>& a, const std::vector<SpoolEntry>& b) {
  return std::ranges::equal(a, b, [](const SpoolEntry& x, const SpoolEntry& y) { return x == y; });
}

/// A Spool, each call a step of its own.
class SpoolOnDisk {
 public:
  explicit SpoolOnDisk(SpoolOptions options = {}) : options_(std::move(options)) {
    if (options_.memory == nullptr) options_.memory = std::make_shared<SpoolMemory>(16u << 20);
    clock.advance(std::chrono::hours(1));
    open();
  }
  std::filesystem::path folder() const { return temp_.path() / "spool"; }

  Result<void> try_open() {
    spool.reset();
    auto opened = Spool::open(folder(), options_, clock, random_);
    if (!opened) return fail(std::move(opened.error()));
    spool = std::move(*opened);
    return {};
  }
  void open() {
    auto opened = try_open();
    EXPECT_TRUE(opened) << opened.error().message;
  }

  /// One step.
  void commit(std::vector<Spool::Call>& calls) {
    std::vector<Spool::Call*> all;
    for (Spool::Call& call : calls) all.push_back(&call);
    spool->commit(all);
  }
  Result<void> commit(Spool::Call call) {
    Spool::Call* const calls[] = {&call};
    spool->commit(calls);
    if (const auto* put = std::get_if<Spool::Put>(&call.what)) answer = put->answer;
    return call.result;
  }
  Result<void> put(const SpoolBatch& batch) { return commit({.what = Spool::Put{&batch, {}}}); }
  Result<void> put(std::vector<SpoolPut> puts) {
    SpoolBatch batch;
    batch.domain = kStream;
    batch.captured = clock.now();
    batch.puts = std::move(puts);
    return put(batch);
  }
  Result<void> settle(const std::vector<Settled>& written) {
    return commit({.what = Spool::Settle{&written}});
  }
  Result<void> gap() { return commit({.what = Spool::Barrier{}}); }
  Result<void> begin_domain(const std::string& name) { return commit({.what = Spool::Domain{name}}); }
  Result<void> keep_touches() { return commit({.what = Spool::KeepTouches{true}}); }
  Result<void> drop_touches() { return commit({.what = Spool::KeepTouches{false}}); }
  Result<void> forget_touches(const std::vector<Touch>& judged) {
    return commit({.what = Spool::ForgetTouches{&judged}});
  }
  std::vector<Touch> touches(const std::string& after = {}, std::size_t most = 10'000) const {
    auto found = spool->touches(after, most);
    EXPECT_TRUE(found) << found.error().message;
    return found ? std::move(*found) : std::vector<Touch>();
  }
  std::vector<KeyStand> look_up(const std::vector<std::string>& keys) const {
    auto stands = spool->look_up(keys);
    EXPECT_TRUE(stands) << stands.error().message;
    return stands ? std::move(*stands) : std::vector<KeyStand>();
  }
  void chores() {
    for (int i = 0; i < 1000 && spool->has_chores(); ++i) spool->commit({});
    EXPECT_FALSE(spool->has_chores());
  }
  std::vector<SpoolEntry> take(const TakeRequest& request) {
    auto taken = spool->take(request);
    EXPECT_TRUE(taken) << taken.error().message;
    return taken ? std::move(taken->entries) : std::vector<SpoolEntry>();
  }
  /// Everything, from the oldest entry on; held.
  std::vector<SpoolEntry> take_all() { return take({.restart = true, .max_entries = 10'000}); }
  /// The same, released again.
  std::vector<SpoolEntry> look() {
    auto entries = take_all();
    std::vector<std::string> keys;
    for (const SpoolEntry& entry : entries) keys.push_back(entry.key);
    spool->release(keys);
    return entries;
  }
  SpoolFigures figures() const {
    auto figures = spool->figures();
    EXPECT_TRUE(figures) << figures.error().message;
    return figures.value_or(SpoolFigures{});
  }

  ManualClock clock;
  std::unique_ptr<Spool> spool;
  PutAnswer answer;

 private:
  TempFolder temp_;
  SpoolOptions options_;
  Random random_{7};
};

}  // namespace messina::state::testing
