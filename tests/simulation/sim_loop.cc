#include "sim_loop.h"

#include <algorithm>

#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace messina::simulation {

asio::any_io_executor SimLoop::executor() { return Executor(this); }

Task<void> SimLoop::sleep_until(MonoTime until, Stop* stop) {
  const std::uint64_t id = next_timer_id_++;
  if (stop != nullptr && stop->requested()) until = now();
  // Virtual processes have one thread, so the callback cannot run while this frame dies.
  Stop::Registration cut_short;
  if (stop != nullptr) cut_short = stop->on_request([this, id] { fire(id); });
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
      [this, id, until](auto handler) {
        Work work([handler = std::move(handler)]() mutable { std::move(handler)(); });
        if (until <= now()) {
          ready_.push_back(std::move(work));
          return;
        }
        due_.emplace(id, until);
        timers_.emplace(std::pair(until, id), std::move(work));
      },
      asio::use_awaitable);
}

bool SimLoop::run_one() {
  if (ready_.empty()) return false;
  const std::size_t chosen = universe_.order().below(ready_.size());
  universe_.note(chosen);
  Work work = std::move(ready_[chosen]);
  if (chosen + 1 != ready_.size()) ready_[chosen] = std::move(ready_.back());
  ready_.pop_back();
  work();
  return true;
}

bool SimLoop::step() {
  if (run_one()) return true;
  if (!has_timer()) return false;
  advance_to(next_timer());
  return true;
}

bool SimLoop::step_busily() {
  SimLoop* const alone[] = {this};
  return simulation::step_busily(alone);
}

void SimLoop::advance_to(MonoTime time) {
  while (!universe_.idle() && universe_.next_event() <= time) universe_.run_next_event();
  universe_.advance_to(time);
  fire_due_timers();
}

bool step_busily(std::span<SimLoop* const> loops) {
  Universe& universe = loops.front()->universe_;
  const auto advance = [&](MonoTime time) {
    for (SimLoop* loop : loops) loop->advance_to(time);
  };
  if (universe.order().chance(0.02))
    advance(universe.now() + std::chrono::microseconds(universe.order().below(5000)));
  const std::size_t first = loops.size() == 1 ? 0 : universe.order().below(loops.size());
  for (std::size_t i = 0; i < loops.size(); ++i) {
    if (loops[(first + i) % loops.size()]->run_one()) return true;
  }
  MonoTime next = MonoTime::max();
  for (const SimLoop* loop : loops) {
    if (loop->has_timer()) next = std::min(next, loop->next_timer());
  }
  if (next == MonoTime::max()) return false;
  advance(next);
  return true;
}

void SimLoop::fire_due_timers() {
  while (!timers_.empty() && next_timer() <= now()) fire(timers_.begin()->first.second);
}

void SimLoop::fire(std::uint64_t id) {
  const auto due = due_.find(id);
  if (due == due_.end()) return;
  auto timer = timers_.extract({due->second, id});
  due_.erase(due);
  ready_.push_back(std::move(timer.mapped()));
}

void SimLoop::destroy_everything() {
  while (!ready_.empty() || !timers_.empty()) {
    std::vector<Work> ready = std::move(ready_);
    ready_.clear();
    auto timers = std::move(timers_);
    timers_.clear();
    due_.clear();
  }
}

}  // namespace messina::simulation
