#include "jobs/hold_book.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace messina::jobs {

void HoldBook::answered(std::vector<state::Settled> written, MonoTime at) {
  if (written.empty()) return;
  waiting_.emplace(at + times_.clock_error, Waiting{std::move(written), {}, false});
}

void HoldBook::unknown(std::vector<std::string> keys, MonoTime at) {
  if (keys.empty()) return;
  unknown_keys_ += keys.size();
  ++unknown_batches_;
  waiting_.emplace(at + times_.dead_after + times_.clock_error, Waiting{{}, std::move(keys), true});
}

void HoldBook::turned_away(std::vector<std::string> keys, MonoTime until) {
  if (keys.empty()) return;
  waiting_.emplace(until, Waiting{{}, std::move(keys), false});
}

HoldBook::Due HoldBook::take_due(MonoTime now, std::size_t most) {
  Due due;
  while (!waiting_.empty() && waiting_.begin()->first < now &&
         due.settle.size() + due.release.size() < most) {
    Waiting waited = std::move(waiting_.extract(waiting_.begin()).mapped());
    if (waited.is_unknown) {
      unknown_keys_ -= waited.release.size();
      --unknown_batches_;
    }
    std::ranges::move(waited.settle, std::back_inserter(due.settle));
    std::ranges::move(waited.release, std::back_inserter(due.release));
  }
  return due;
}

std::vector<state::Settled> HoldBook::take_answered() {
  std::vector<state::Settled> written;
  std::erase_if(waiting_, [&](auto& waiting) {
    if (waiting.second.settle.empty()) return false;
    std::ranges::move(waiting.second.settle, std::back_inserter(written));
    return true;
  });
  return written;
}

std::optional<MonoTime> HoldBook::next() const {
  if (waiting_.empty()) return std::nullopt;
  return waiting_.begin()->first;
}

}  // namespace messina::jobs
