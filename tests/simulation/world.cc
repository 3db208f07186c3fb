#include "world.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace messina::simulation {

namespace {

std::uint64_t number_in(std::string_view text, std::string_view after, std::string_view until) {
  const std::size_t at = text.find(after) + after.size();
  const std::string_view digits = text.substr(at, text.find(until, at) - at);
  std::uint64_t value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

}  // namespace

std::string item_json(ItemState item) {
  return fmt::format(R"({{"pk":{{"S":"{:04}"}},"v":{{"N":"{}"}}}})", item.key, item.version);
}

ItemState parse_item(std::string_view raw) {
  return {.key = parse_key(raw), .version = number_in(raw, R"("v":{"N":")", "\"")};
}

std::string key_json(KeyId key) { return fmt::format(R"({{"pk":{{"S":"{:04}"}}}})", key); }
KeyId parse_key(std::string_view raw) { return static_cast<KeyId>(number_in(raw, R"("pk":{"S":")", "\"")); }

std::string cursor_text(KeyId next) { return fmt::format("from {}", next); }
KeyId parse_cursor(std::string_view text) {
  return text.empty() ? 0 : static_cast<KeyId>(number_in(text, "from ", " "));
}
std::string segment_spec(std::uint32_t segment) { return fmt::format(R"({{"segment":{}}})", segment); }
std::uint32_t parse_segment(std::string_view spec) {
  return static_cast<std::uint32_t>(number_in(spec, R"("segment":)", "}"));
}

World::World(Universe& universe, WorldPlan plan)
    : universe_(universe),
      plan_(plan),
      written_keys_(plan.keys),
      faults_end_(universe.now() + plan.faults_until) {
  Random& random = universe_.random();
  // Some key numbers are left free, for items that are added later.
  for (KeyId key = 0; key < plan_.keys; ++key) {
    if (random.chance(0.9)) source_[key] = {.version = 1, .since = universe_.now(), .there = true};
  }
  for (KeyId key = 0; key < all_keys(); ++key) {
    const bool there = key >= plan_.keys || (plan_.foreign_shared > 0 && random.chance(plan_.foreign_shared));
    if (there) target_[key].version = kForeign + key;
  }
  while (refused_.size() < plan_.poison_refused)
    refused_.insert(static_cast<KeyId>(random.below(plan_.keys)));
  while (failing_.size() < plan_.poison_500) failing_.insert(static_cast<KeyId>(random.below(plan_.keys)));
  for (std::uint32_t node = 0; node < plan_.nodes; ++node) {
    // The worst clocks are as far apart as they may be.
    skew_.push_back(node == 0   ? Duration::zero()
                    : node == 1 ? plan_.clock_error
                                : between(Duration::zero(), plan_.clock_error));
  }
  schedule_writers();
}

Duration World::between(Duration least, Duration most) {
  const auto span = static_cast<std::uint64_t>((most - least).count());
  return least + Duration(static_cast<Duration::rep>(universe_.random().below(span + 1)));
}

// ---------------------------------------------------------------------------------------------- the source

void World::schedule_writers() {
  for (std::uint32_t i = 0; i < plan_.writer_changes; ++i) {
    universe_.at(universe_.now() + between(Duration::zero(), plan_.writing), [this] { change_something(); });
  }
}

void World::change_something() {
  Random& random = universe_.random();
  const auto key = static_cast<KeyId>(random.below(written_keys_));
  change(key, source_state(key).there && random.chance(0.1));
}

void World::change(KeyId key, bool remove) {
  const SourceState before = source_state(key);
  Source& item = source_[key];
  if (remove) {
    item.there = false;
  } else if (before.there) {
    ++item.version;
  } else {
    item = {.version = item.version + 1, .since = universe_.now(), .there = true};
  }
  for (const auto& listener : changed_) listener(key, before);
}

World::SourceState World::source_state(KeyId key) const {
  const auto item = source_.find(key);
  if (item == source_.end()) return {};
  return {.version = item->second.version, .there = item->second.there && item->second.version != 0};
}

World::ReadPage World::read(std::uint32_t segment, KeyId from, std::uint32_t most_items) {
  ReadPage page;
  KeyId to = plan_.keys;  // covered by this page: [from, to)
  // Empty pages with a next position are normal.
  const std::uint32_t asked = most_items == 0 ? plan_.page_items : std::min(most_items, plan_.page_items);
  const std::size_t size = universe_.random().chance(0.1) ? 0 : asked;
  for (KeyId key = from; key < plan_.keys; ++key) {
    if (segment_of(key) != segment) continue;
    const auto item = source_.find(key);
    if (item == source_.end() || !item->second.there) continue;
    if (page.items.size() == size) {
      to = key;
      page.next = key;
      break;
    }
    page.items.push_back({key, item->second.version});
  }
  for (KeyId key = from; key < to; ++key) {
    if (segment_of(key) == segment) last_read_.erase(key);
  }
  for (const ItemState& item : page.items) last_read_[item.key] = {item.version, universe_.now()};
  return page;
}

// ---------------------------------------------------------------------------------------------- the target

World::ReadPage World::read_target(std::uint32_t segment, KeyId from) const {
  ReadPage page;
  for (auto cell = target_.lower_bound(from); cell != target_.end(); ++cell) {
    if (segment_of(cell->first) != segment || cell->second.removed) continue;
    if (page.items.size() == plan_.page_items) {
      page.next = cell->first;
      break;
    }
    page.items.push_back({.key = cell->first, .version = cell->second.version});
  }
  return page;
}

void World::send(std::vector<ItemState> items, MonoTime when, bool lost, const void* sender) {
  const std::uint64_t id = next_request_++;
  requests_[id].items = std::move(items);
  requests_[id].lost = lost;
  requests_[id].sender = sender;
  schedule(id, when);
}

void World::schedule(std::uint64_t request, MonoTime when) {
  const std::uint64_t event = next_execution_++;
  requests_.at(request).event = event;
  requests_.at(request).when = when;
  universe_.at(when, [this, request, event] { execute(request, event); });
}

void World::execute(std::uint64_t request, std::uint64_t event) {
  const auto found = requests_.find(request);
  if (found == requests_.end() || found->second.event != event) return;
  const MonoTime stamp = universe_.now() + skew_[universe_.random().below(skew_.size())];
  for (const ItemState& item : found->second.items) {
    universe_.note(item.key * 1000003u + item.version);
    Target& cell = target_[item.key];
    // Last write wins by the node's clock; of equal stamps a delete, then the greater value, as in ScyllaDB.
    const bool wins = item.removed || (!cell.removed && item.version > cell.version);
    if (stamp > cell.stamp || (stamp == cell.stamp && wins)) cell = {item.version, stamp, item.removed};
  }
  requests_.erase(found);
}

bool World::on_wire(KeyId key) const {
  return std::ranges::any_of(requests_, [key](const auto& request) {
    return std::ranges::any_of(request.second.items,
                               [key](const ItemState& item) { return item.key == key; });
  });
}

void World::damage(KeyId key, std::optional<Version> version) {
  Target& cell = target_[key];
  cell = {version.value_or(0), std::max(cell.stamp, universe_.now()), !version};
}

void World::acknowledged(std::span<const ItemState> items) {
  for (const ItemState& item : items) acknowledged_[item.key] = item.version;
}

void World::sender_died(const void* sender) {
  const MonoTime dead = universe_.now() + plan_.dead_after;
  std::vector<std::uint64_t> gone;
  for (auto& [id, request] : requests_) {
    if (sender != nullptr && request.sender != sender) continue;
    if (request.when > dead) gone.push_back(id);
    if (request.lost || request.when > dead) continue;
    request.lost = true;
    if (universe_.random().chance(0.3)) {
      gone.push_back(id);
    } else if (universe_.random().chance(0.7)) {
      // Only the newest execution counts: an event that was planned before finds another number.
      schedule(id, universe_.now() + between(Duration::zero(), plan_.dead_after));
    }
  }
  for (const std::uint64_t id : gone) requests_.erase(id);
}

// ---------------------------------------------------------------------------------------------- the truth

void World::violate(Violation::Kind kind, std::string text) {
  violations_.push_back({kind, std::move(text)});
}

void World::check_commit(const state::JobState& before, const state::Commit& step) {
  if (rivals) return;
  std::set<KeyId> rejected;
  for (const state::Reject& reject : step.rejects) {
    const bool of_change = reject.unit.empty();
    const ItemState item = of_change ? ItemState{.key = parse_key(reject.item)} : parse_item(reject.item);
    rejected.insert(item.key);
    if (reject.reason.empty() || reject.code.empty()) {
      violate(Violation::Kind::broken_rule, fmt::format("the reject of {} has no reason or code", item.key));
    }
    // Four answers of 500 in a row can be bad luck with a server that is often sick; such an item may be
    // rejected.
    const bool bad_luck = plan_.failed_500 > 0 && reject.code == "InternalServerError";
    if (!refused_.contains(item.key) && !failing_.contains(item.key) && !bad_luck) {
      violate(Violation::Kind::wrong_end,
              fmt::format("item {} was rejected, but the target takes it", item.key));
    }
    if (of_change) continue;
    const auto read = last_read_.find(item.key);
    if (read == last_read_.end() || read->second.version != item.version) {
      violate(Violation::Kind::broken_rule, fmt::format("the reject of {} is not as it was read", item.key));
    }
  }
  for (const state::Commit::UnitStep& unit : step.steps) {
    const state::UnitRecord& record = before.units.at(unit.unit);
    const std::uint32_t segment = parse_segment(record.spec);
    const KeyId to = unit.state == state::UnitState::done ? plan_.keys : parse_cursor(unit.cursor);
    for (KeyId key = parse_cursor(record.cursor); key < to; ++key) {
      if (segment_of(key) != segment || rejected.contains(key)) continue;
      const auto read = last_read_.find(key);
      if (read == last_read_.end()) continue;
      const auto acked = acknowledged_.find(key);
      // An applier may have written a newer state since, or an older one, which a change follows.
      const bool by_applier = plan_.live && acked != acknowledged_.end();
      if (!by_applier && (acked == acknowledged_.end() || acked->second != read->second.version)) {
        violate(Violation::Kind::broken_rule,
                fmt::format("{} passed item {}, whose state {} is not acknowledged", record.id, key,
                            read->second.version));
      }
    }
    const state::Counts& delta = unit.delta;
    if (delta.read_items != delta.written_items + delta.rejected_items) {
      violate(Violation::Kind::broken_rule,
              fmt::format("{}: {} read, but {} written and {} rejected", record.id, delta.read_items,
                          delta.written_items, delta.rejected_items));
    }
  }
  if (step.clean_end && requests_on_wire()) {
    violate(Violation::Kind::broken_rule, "a clean end with a request on the wire");
  }
}

void World::check_end(const state::JobState& job, const std::vector<state::Reject>& rejects, MonoTime began) {
  const auto wrong = [this](std::string text) { violate(Violation::Kind::wrong_end, std::move(text)); };
  std::map<KeyId, Version> rejected;
  for (const state::Reject& reject : rejects) {
    const ItemState item = parse_item(reject.item);
    rejected[item.key] = item.version;
  }
  std::set<std::uint32_t> skipped;
  state::Counts counts;
  for (const state::UnitRecord& unit : job.units) {
    counts += unit.counts;
    if (unit.state == state::UnitState::skipped) skipped.insert(parse_segment(unit.spec));
    if (unit.state == state::UnitState::pending) wrong(unit.id + " is not done");
  }
  for (const auto& [key, read] : last_read_) {
    const auto reject = rejected.find(key);
    if (reject != rejected.end() && reject->second == read.version) continue;
    const auto cell = target_.find(key);
    if (cell == target_.end()) {
      wrong(fmt::format("item {} is neither on the target nor in the rejects", key));
    } else if (cell->second.version != read.version) {
      wrong(fmt::format("item {} is in state {} on the target, but was read last in state {}", key,
                        cell->second.version, read.version));
    }
  }
  for (const auto& [key, item] : source_) {
    if (!item.there || item.version == 0 || item.since > began || skipped.contains(segment_of(key))) continue;
    const auto read = last_read_.find(key);
    if (read == last_read_.end() || read->second.when < began) {
      wrong(fmt::format("item {} was there all the time and was not read", key));
    }
  }
  if (counts.read_items != counts.written_items + counts.rejected_items ||
      counts.rejected_items != rejects.size() || job.live_rejects != rejects.size()) {
    wrong(fmt::format("{} read, {} written, {} rejected, {} in the rejects, {} live", counts.read_items,
                      counts.written_items, counts.rejected_items, rejects.size(), job.live_rejects));
  }
  std::uint64_t expected = 0;
  for (const auto& [key, item] : source_) expected += item.there && !skipped.contains(segment_of(key));
  // A page counts once, however often crashes made it be read again.
  if (plan_.writer_changes == 0 && counts.read_items != expected) {
    wrong(fmt::format("{} items counted as read of a table of {}", counts.read_items, expected));
  }
}

}  // namespace messina::simulation
