#include "jobs/budgets.h"

#include <algorithm>
#include <utility>

namespace messina::jobs {

void ReadBudget::expect(double consistency, std::optional<double> units_per_item,
                        std::optional<double> table_units) {
  const std::lock_guard lock(mutex_);
  cost_ = pace::PageCost(consistency, units_per_item, table_units);
}

std::optional<Duration> ReadBudget::ask(MonoTime now, Request& request) {
  const std::lock_guard lock(mutex_);
  const pace::PageCost::Ask page = cost_.next(budget_.rate());
  const pace::UnitBudget::Turn turn = budget_.take(now, request.place, page.charge);
  if (!turn.granted) return turn.nap;
  request.items = page.items;
  request.charge = page.charge;
  return std::nullopt;
}

std::optional<Duration> ReadBudget::ask_units(MonoTime now, Request& request, double units) {
  const std::lock_guard lock(mutex_);
  const pace::UnitBudget::Turn turn = budget_.take(now, request.place, units);
  if (!turn.granted) return turn.nap;
  request.charge = units;
  return std::nullopt;
}

void ReadBudget::answered_units(MonoTime now, const Request& request, double units) {
  const std::lock_guard lock(mutex_);
  budget_.settle(now, request.charge, units);
}

void ReadBudget::give_up(Request& request) {
  const std::lock_guard lock(mutex_);
  budget_.leave(request.place);
}

void ReadBudget::answered(MonoTime now, const Request& request, std::size_t items, double units) {
  const std::lock_guard lock(mutex_);
  budget_.settle(now, request.charge, units);
  if (units > 0) cost_.learn(request.items, items, units);
}

void ReadBudget::set_rate(MonoTime now, std::optional<double> units_per_s) {
  const std::lock_guard lock(mutex_);
  if (units_per_s != budget_.rate()) budget_.set_rate(now, units_per_s);
}

std::optional<double> ReadBudget::rate() const {
  const std::lock_guard lock(mutex_);
  return budget_.rate();
}

double ReadBudget::total() const {
  const std::lock_guard lock(mutex_);
  return budget_.charged_total();
}

std::optional<Duration> WriteBudget::ask(MonoTime now, Request& request, bool now_or_never) {
  const std::lock_guard lock(mutex_);
  request.charge = request.units * cost_per_unit_;
  if (now_or_never) {
    budget_.leave(request.place);
    budget_.charge(now, request.charge);
    return std::nullopt;
  }
  const pace::UnitBudget::Turn turn = budget_.take(now, request.place, request.charge);
  if (turn.granted) return std::nullopt;
  return turn.nap;
}

void WriteBudget::give_up(Request& request) {
  const std::lock_guard lock(mutex_);
  budget_.leave(request.place);
}

void WriteBudget::answered(MonoTime now, const Request& request, std::optional<double> units) {
  if (!units) return;
  const std::lock_guard lock(mutex_);
  budget_.settle(now, request.charge, *units);
  if (*units > 0 && request.units > 0) cost_per_unit_ += (*units / request.units - cost_per_unit_) / 8;
}

void WriteBudget::set_rate(MonoTime now, std::optional<double> units_per_s) {
  const std::lock_guard lock(mutex_);
  if (units_per_s != budget_.rate()) budget_.set_rate(now, units_per_s);
  limited_.store(units_per_s.has_value(), std::memory_order_relaxed);
}

double WriteBudget::total() const {
  const std::lock_guard lock(mutex_);
  return budget_.charged_total();
}

void WriteLimit::refused(MonoTime now) {
  const std::lock_guard lock(mutex_);
  found_.refused(now);
  apply();
}

void WriteLimit::tick(MonoTime now) {
  pace::ConcurrencyLimit::Window window;
  window.answers = answers_.exchange(0, std::memory_order_relaxed);
  window.latency = std::chrono::nanoseconds(latency_ns_.exchange(0, std::memory_order_relaxed));
  window.saturated = permits_->contended();
  const std::lock_guard lock(mutex_);
  if (!fixed_) found_.observe(now, window);
  apply();
}

void WriteLimit::fix(std::optional<std::uint32_t> fixed) {
  const std::lock_guard lock(mutex_);
  fixed_ = fixed;
  apply();
}

void WriteLimit::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  permits_->set_capacity(INT64_MAX / 2);
}

void WriteLimit::apply() {
  if (closed_) return;
  const std::int64_t limit = fixed_.value_or(found_.limit());
  if (permits_->capacity() != limit) permits_->set_capacity(limit);
  excess_.store(std::max<std::int64_t>(0, -permits_->free()), std::memory_order_relaxed);
}

std::uint32_t WriteLimit::limit() const {
  const std::lock_guard lock(mutex_);
  return fixed_.value_or(found_.limit());
}

std::string WriteLimit::why() const {
  const std::lock_guard lock(mutex_);
  return fixed_ ? "fixed" : std::string(found_.why());
}

}  // namespace messina::jobs
