// The application that writes, the stream's shards and their trimming; and the target's two nodes.
#include "model.h"

namespace messina::model {

Version Model::newest(const State& s, int key) const {
  for (int n = s.writes; n > 0; --n) {
    if (s.written[static_cast<std::size_t>(n - 1)].key == key) return static_cast<Version>(n);
  }
  return 0;
}

bool Model::absent(const State& s, int key, Version version) const {
  if (version == 0) return ((scope_.at_first >> key) & 1) == 0;
  return s.written[static_cast<std::size_t>(version - 1)].removed != 0;
}

bool Model::all_captured(const State& s, int key) const {
  for (int n = 0; n < s.writes; ++n) {
    if (s.written[static_cast<std::size_t>(n)].key == key && ((s.captured >> n) & 1) == 0) return false;
  }
  return s.epoch > 0;
}

int Model::shard_of(const State& s, int key) const {
  if (key == 1 && scope_.two_shards) return 1;
  return s.split != 0 ? 2 : 0;
}

void Model::source_steps(const State& s, const Out& out) const {
  for (std::uint8_t key = 0; key < kKeys && s.writes < scope_.writes; ++key) {
    if (((scope_.written_keys >> key) & 1) == 0) continue;
    const bool copied = (((scope_.pages[0] | scope_.pages[1]) >> key) & 1) != 0;
    if (!copied && s.epoch == 0) continue;  // no page will have it
    for (std::uint8_t removed = 0; removed < 2; ++removed) {
      if (removed != 0 && (!scope_.deletes || absent(s, key, newest(s, key)))) continue;
      State next = s;
      next.written[next.writes++] = {key, removed, static_cast<std::uint8_t>(shard_of(s, key)), 0};
      out(next, Act::writes, key, removed, next.writes);
      if (!scope_.hints || !all_captured(s, key)) continue;
      next.written[s.writes].shard = kHint;
      out(next, Act::writes_unseen, key, removed, next.writes);
    }
  }
  for (int n = 0; n < s.writes && s.life == Life::runs; ++n) {
    const Written& written = s.written[static_cast<std::size_t>(n)];
    if (written.shard != kHint || ((s.captured >> n) & 1) != 0) continue;
    State next = s;
    next.captured = static_cast<std::uint8_t>(next.captured | 1u << n);
    const state::SpoolPut mark;
    put(next, written.key, mark, 0);
    out(next, Act::hints, n + 1, 0, 0);
  }
  if (scope_.split && s.split == 0) {
    State next = s;
    next.split = 1;
    out(next, Act::splits, 0, 0, 0);
  }
  if (scope_.retention == 0) return;
  // The oldest record of a shard goes first. Ages are those of the retention, as the margin is 0 here.
  std::uint8_t shards = 0;
  for (std::uint8_t n = 0; n < s.writes; ++n) {
    const Written& written = s.written[n];
    if (written.shard == kHint || ((s.trimmed >> n) & 1) != 0 || ((shards >> written.shard) & 1) != 0)
      continue;
    shards = static_cast<std::uint8_t>(shards | 1u << written.shard);
    if (-written.at <= scope_.retention) continue;
    State next = s;
    next.trimmed = static_cast<std::uint8_t>(next.trimmed | 1u << n);
    out(next, Act::trims, static_cast<std::uint8_t>(n + 1), 0, 0);
  }
}

/// Any order, any node: the nodes' clocks are S apart, and the newest stamp stays.
void Model::network_steps(const State& s, const Out& out) const {
  for (int i = 0; i < kMostRequests; ++i) {
    if (s.request[static_cast<std::size_t>(i)].sender != Sender::none) land(s, i, out);
  }
}

void Model::land(const State& s, int index, const Out& out) const {
  const Request request = s.request[static_cast<std::size_t>(index)];
  const OnTarget& there = s.target[request.key];
  const bool lost = request.sender == Sender::nobody;
  for (const int skew : {0, scope_.clock_error}) {
    const auto stamp = static_cast<Tick>(skew);
    // Which of two equal stamps stays is the nodes' affair.
    for (const bool stays : {true, false}) {
      if (stays && stamp < there.stamp) continue;
      if (!stays && stamp > there.stamp) continue;
      State next = s;
      next.request[static_cast<std::size_t>(index)] = {};
      const bool changes = stays && (there.version != request.version || there.there == request.remove);
      if (stays)
        next.target[request.key] = {request.version, static_cast<std::uint8_t>(request.remove == 0), stamp};
      if (!lost) acknowledged(next, request);
      const Act act = lost ? Act::late_lands : request.sender == Sender::page ? Act::page_lands : Act::lands;
      const auto node = static_cast<std::uint8_t>((skew != 0 ? 1 : 0) + (stays ? 0 : 2));
      if (lost && changes) note(Seen::late_on_top);
      if (lost && !stays) note(Seen::late_too_late);
      if (!lost && !stays) note(Seen::kept_out);
      if (!lost && stays && request.remove != 0) note(Seen::deleted);
      out(next, act, request.key, request.version, node);
    }
  }
}

void Model::acknowledged(State& next, const Request& request) const {
  if (request.sender == Sender::hold) {
    acknowledged_change(next, request.key);
    return;
  }
  for (const Request& other : next.request) {
    if (other.sender == Sender::page && other.index == request.index) return;
  }
  Page& page = next.page[request.index];
  // Where nothing can crash it does not matter when it is recorded.
  const bool may_crash = scope_.crashes > 0 || scope_.heals > 0;
  page.phase = may_crash ? PagePhase::acked : PagePhase::recorded;
  page.at = 0;
}

void Model::add_request(State& next, Request request) const {
  for (Request& each : next.request) {
    if (each.sender != Sender::none) continue;
    each = request;
    return;
  }
  next.wrong = static_cast<std::uint8_t>(Wrong::no_room);
}

/// Nobody hears of these requests any more, but they may land until they are dead.
void Model::cut(State& next, Sender sender, int index) const {
  for (Request& each : next.request) {
    if (each.sender != sender || (sender == Sender::page ? each.index : each.key) != index) continue;
    each.sender = Sender::nobody;
    each.index = 0;
    each.dies = static_cast<Tick>(scope_.dead_after);
  }
}

}  // namespace messina::model
