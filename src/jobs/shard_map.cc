#include "jobs/shard_map.h"

#include <algorithm>
#include <set>

namespace messina::jobs {

using endpoints::ShardId;
using endpoints::ShardInfo;
using endpoints::StreamDescription;

std::string_view to_string(GapCause cause) {
  switch (cause) {
    case GapCause::position_too_old:
      return "position_too_old";
    case GapCause::shard_lost:
      return "shard_lost";
    case GapCause::parent_unread:
      return "parent_unread";
    case GapCause::stream_ended:
      return "stream_ended";
  }
  return "position_too_old";
}

state::ShardPosition to_position(const ShardRow& row, std::uint64_t epoch) {
  using std::chrono::floor, std::chrono::milliseconds;
  return {.shard = row.id.value,
          .sequence_number = row.read_to ? row.read_to->digits : std::string(),
          .read_until_unix_ms = floor<milliseconds>(row.read_until.time_since_epoch()).count(),
          .state = row.state,
          .epoch = epoch,
          .parent = row.parent ? row.parent->value : std::string()};
}

ShardRow to_row(const state::ShardPosition& position) {
  ShardRow row;
  row.id.value = position.shard;
  if (!position.parent.empty()) row.parent = ShardId{position.parent};
  row.state = position.state;
  if (!position.sequence_number.empty()) row.read_to = endpoints::SequenceNumber{position.sequence_number};
  row.read_until = WallTime(std::chrono::milliseconds(position.read_until_unix_ms));
  return row;
}

ShardMap::Step ShardMap::begin(const StreamDescription& listing, WallTime asked_at) {
  Step step;
  rows_.clear();
  for (const ShardInfo& shard : listing.shards) {
    ShardRow row;
    row.id = shard.id;
    row.parent = shard.parent;
    row.state = shard.closed ? ShardState::drained : ShardState::reading;
    row.read_until = asked_at;
    step.rows.push_back(row);
    rows_.insert_or_assign(row.id, std::move(row));
  }
  return step;
}

void ShardMap::restore(std::vector<ShardRow> rows) {
  rows_.clear();
  for (ShardRow& row : rows) {
    const ShardId id = row.id;
    rows_.insert_or_assign(id, std::move(row));
  }
}

/// `parent` is the drained one, or null: then nobody knows what its ancestors held.
void ShardMap::start(ShardRow& row, const ShardRow* parent, WallTime now, Step& step) {
  row.state = ShardState::reading;
  if (parent != nullptr) {
    row.read_until = parent->read_until;
    return;
  }
  row.read_until = now;
  step.gaps.push_back({GapCause::parent_unread, row.id, now - options_.retention, now});
}

ShardMap::Step ShardMap::listed(const StreamDescription& listing, WallTime asked_at) {
  Step step;
  // A child may be listed before its parent.
  std::set<ShardId> named;
  for (const ShardInfo& shard : listing.shards) named.insert(shard.id);
  for (const ShardInfo& shard : listing.shards) {
    if (rows_.contains(shard.id)) continue;
    ShardRow row;
    row.id = shard.id;
    row.parent = shard.parent;
    const ShardRow* parent = shard.parent ? find(*shard.parent) : nullptr;
    const bool parent_to_come = parent == nullptr && shard.parent && named.contains(*shard.parent);
    if (parent_to_come || (parent != nullptr && parent->state != ShardState::drained)) {
      row.state = ShardState::waiting;
      row.read_until = parent != nullptr ? parent->read_until : asked_at;
    } else {
      start(row, parent, asked_at, step);
    }
    step.rows.push_back(row);
    rows_.insert_or_assign(row.id, std::move(row));
  }
  forget(listing, asked_at, step);
  return step;
}

void ShardMap::forget(const StreamDescription& listing, WallTime now, Step& step) {
  std::set<ShardId> needed;
  for (const ShardInfo& shard : listing.shards) {
    needed.insert(shard.id);
    if (shard.parent) needed.insert(*shard.parent);
  }
  // Children of a drained shard appear at once; twice the retention is more than late.
  std::erase_if(rows_, [&](const auto& entry) {
    const ShardRow& row = entry.second;
    const bool gone = row.state == ShardState::drained && !needed.contains(row.id) &&
                      now - row.read_until > 2 * options_.retention;
    if (gone) step.forgotten.push_back(row.id);
    return gone;
  });
}

void ShardMap::drain(ShardRow& row, Step& step) {
  row.state = ShardState::drained;
  for (auto& [id, child] : rows_) {
    if (child.state != ShardState::waiting || child.parent != row.id) continue;
    child.state = ShardState::reading;
    child.read_until = row.read_until;
    step.rows.push_back(child);
  }
}

ShardMap::Step ShardMap::answered(const ShardId& shard, const PollSeen& poll) {
  Step step;
  const auto found = rows_.find(shard);
  if (found == rows_.end() || found->second.state != ShardState::reading) return step;
  ShardRow& row = found->second;
  if (too_old(row, poll.answered_at)) {
    step.gaps.push_back({GapCause::position_too_old, shard, row.read_until, poll.answered_at});
    row.read_until = poll.answered_at - options_.lateness;
  }
  if (poll.last) row.read_to = poll.last;
  // Behind the last record others may wait that are as old as it is; who has caught up has read what was
  // readable then. Neither an empty page by itself nor an end proves anything: the shard was closed at some
  // time before, and its children, which go on from here, were written to ever since.
  WallTime until = poll.answered_at - options_.lateness;
  if (poll.last || poll.end || !poll.caught_up)
    until = std::min(until, poll.last_created.value_or(row.read_until));
  row.read_until = std::max(row.read_until, until);
  if (poll.end) drain(row, step);
  step.rows.push_back(row);
  return step;
}

ShardMap::Step ShardMap::trimmed(const ShardId& shard, WallTime now) {
  Step step;
  const auto found = rows_.find(shard);
  if (found == rows_.end() || found->second.state != ShardState::reading) return step;
  ShardRow& row = found->second;
  if (too_old(row, now)) {
    step.gaps.push_back({GapCause::position_too_old, shard, row.read_until, now});
    row.read_until = now - options_.lateness;
  }
  row.read_to.reset();
  step.rows.push_back(row);
  return step;
}

ShardMap::Step ShardMap::lost(const ShardId& shard, WallTime now) {
  Step step;
  const auto found = rows_.find(shard);
  if (found == rows_.end() || found->second.state == ShardState::drained) return step;
  ShardRow& row = found->second;
  step.gaps.push_back({GapCause::shard_lost, shard, row.read_until, now});
  row.read_until = now;
  drain(row, step);
  step.rows.push_back(row);
  return step;
}

std::vector<ShardId> ShardMap::to_read() const {
  std::vector<ShardId> ids;
  for (const auto& [id, row] : rows_) {
    if (row.state == ShardState::reading) ids.push_back(id);
  }
  return ids;
}

const ShardRow* ShardMap::find(const ShardId& shard) const {
  const auto found = rows_.find(shard);
  return found == rows_.end() ? nullptr : &found->second;
}

std::vector<ShardRow> ShardMap::rows() const {
  std::vector<ShardRow> all;
  all.reserve(rows_.size());
  for (const auto& [id, row] : rows_) all.push_back(row);
  return all;
}

std::optional<std::chrono::seconds> ShardMap::until_trimmed(WallTime now) const {
  std::optional<std::chrono::seconds> least;
  for (const auto& [id, row] : rows_) {
    if (row.state == ShardState::drained) continue;
    const auto left =
        std::chrono::duration_cast<std::chrono::seconds>(row.read_until + options_.retention - now);
    if (!least || left < *least) least = left;
  }
  return least;
}

bool ShardMap::closed_are_drained(const StreamDescription& listing) const {
  return std::ranges::all_of(listing.shards, [&](const ShardInfo& shard) {
    const ShardRow* const row = find(shard.id);
    return row != nullptr && (!shard.closed || row->state == ShardState::drained);
  });
}

}  // namespace messina::jobs
