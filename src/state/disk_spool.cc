#include "state/disk_spool.h"

#include <algorithm>
#include <ctime>
#include <exception>
#include <string>
#include <utility>

#include <pthread.h>

#include "state/spool_entry.h"

namespace messina::state {
namespace {

std::size_t bytes_of(const SpoolBatch& batch) {
  std::size_t sum = 0;
  for (const SpoolPut& put : batch.puts) sum += put.key.size() + put.image.size() + 64;
  return sum + batch.positions.size() * 64;
}
std::size_t bytes_of(const std::vector<Touch>& touches) {
  std::size_t sum = 0;
  for (const Touch& touch : touches) sum += touch.key.size() + 64;
  return sum;
}

/// CPU time of a thread so far.
std::chrono::nanoseconds cpu_of(const std::thread& thread) {
  clockid_t clock_id{};
  timespec cpu{};
  // pthread_getcpuclockid wants a handle that is not const.
  const pthread_t handle = const_cast<std::thread&>(thread).native_handle();
  if (::pthread_getcpuclockid(handle, &clock_id) != 0 || ::clock_gettime(clock_id, &cpu) != 0) return {};
  return std::chrono::seconds(cpu.tv_sec) + std::chrono::nanoseconds(cpu.tv_nsec);
}

}  // namespace

DiskSpool::DiskSpool(std::unique_ptr<Spool> spool, const Clock& clock)
    : spool_(std::move(spool)),
      clock_(clock),
      writer_([this] { serve_writes(); }),
      reader_([this] { serve_reads(); }) {}

DiskSpool::~DiskSpool() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  write_wake_.notify_one();
  read_wake_.notify_one();
  reader_.join();  // first: a read may wait for a write
  writer_.join();
}

Task<Result<std::vector<ShardPosition>>> DiskSpool::positions() {
  return read<std::vector<ShardPosition>>([](Spool& spool) { return spool.positions(); });
}

Task<Result<std::string>> DiskSpool::domain() {
  return read<std::string>([](Spool& spool) { return Result<std::string>(spool.domain()); });
}

Task<Result<Taken>> DiskSpool::take(const TakeRequest& request) {
  return read<Taken>([this, &request](Spool& spool) {
    auto taken = spool.take(request);
    write_wake_.notify_one();  // there may be chores now
    return taken;
  });
}

Task<Result<SpoolFigures>> DiskSpool::figures() {
  return read<SpoolFigures>([](Spool& spool) { return spool.figures(); });
}

Task<Result<bool>> DiskSpool::keeps_touches() {
  return read<bool>([](Spool& spool) { return Result<bool>(spool.keeps_touches()); });
}

Task<Result<std::vector<Touch>>> DiskSpool::touches(const std::string& after, std::size_t most) {
  return read<std::vector<Touch>>([&after, most](Spool& spool) { return spool.touches(after, most); });
}

Task<Result<std::vector<KeyStand>>> DiskSpool::look_up(const std::vector<std::string>& keys) {
  return read<std::vector<KeyStand>>([&keys](Spool& spool) { return spool.look_up(keys); });
}

Task<Result<PutAnswer>> DiskSpool::put(const SpoolBatch& batch) {
  if (auto ok = check_limits(batch); !ok) co_return fail(std::move(ok.error()));
  Spool::Call call{.what = Spool::Put{&batch, {}}};
  const std::size_t bytes = bytes_of(batch);
  const bool synced = !batch.lazy || !batch.puts.empty();
  auto done = co_await write(std::move(call), bytes, synced);
  if (!done) co_return fail(std::move(done.error()));
  co_return std::get<Spool::Put>(done->what).answer;
}

Task<Result<void>> DiskSpool::settle(const std::vector<Settled>& written) {
  Spool::Call call{.what = Spool::Settle{&written}};
  const std::size_t bytes = written.size() * 64;
  auto done = co_await write(std::move(call), bytes, false);
  if (!done) co_return fail(std::move(done.error()));
  co_return Result<void>();
}

Task<Result<void>> DiskSpool::declare_gap() {
  Spool::Call call{.what = Spool::Barrier{}};
  auto done = co_await write(std::move(call), 0, true);
  if (!done) co_return fail(std::move(done.error()));
  co_return Result<void>();
}

Task<Result<void>> DiskSpool::begin_domain(const std::string& domain) {
  Spool::Call call{.what = Spool::Domain{domain}};
  auto done = co_await write(std::move(call), 0, true);
  if (!done) co_return fail(std::move(done.error()));
  co_return Result<void>();
}

Task<Result<void>> DiskSpool::keep_touches() {
  Spool::Call call{.what = Spool::KeepTouches{true}};
  auto done = co_await write(std::move(call), 0, true);
  if (!done) co_return fail(std::move(done.error()));
  co_return Result<void>();
}

Task<Result<void>> DiskSpool::drop_touches() {
  Spool::Call call{.what = Spool::KeepTouches{false}};
  auto done = co_await write(std::move(call), 0, true);
  if (!done) co_return fail(std::move(done.error()));
  co_return Result<void>();
}

Task<Result<void>> DiskSpool::forget_touches(const std::vector<Touch>& judged) {
  Spool::Call call{.what = Spool::ForgetTouches{&judged}};
  const std::size_t bytes = bytes_of(judged);
  auto done = co_await write(std::move(call), bytes, false);
  if (!done) co_return fail(std::move(done.error()));
  co_return Result<void>();
}

Task<Result<Reduced>> DiskSpool::reduce_to(std::uint64_t max_bytes) {
  auto plan_it = [max_bytes](Spool& spool) { return spool.plan_reduction(max_bytes); };
  auto plan = co_await read<Spool::Reduction>(plan_it);
  if (!plan) co_return fail(std::move(plan.error()));
  if (plan->before == 0) co_return Reduced{};
  Spool::Call call{.what = Spool::Barrier{plan->before}};
  auto done = co_await write(std::move(call), 0, true);
  if (!done) co_return fail(std::move(done.error()));
  auto begin = [](Spool& spool) {
    spool.reclaim();
    return Result<bool>(true);
  };
  auto begun = co_await read<bool>(begin);
  if (!begun) co_return fail(std::move(begun.error()));
  co_return plan->reduced;
}

Task<Result<Spool::Call>> DiskSpool::write(Spool::Call call, std::size_t bytes, bool synced) {
  auto submit = [this, &call, bytes, synced](Answer<Spool::Call> answer) {
    {
      const std::lock_guard lock(mutex_);
      if (writes_.size() < kMaxQueued) {
        auto hand_over = [answer = std::move(answer)](Spool::Call& done) mutable {
          if (done.result) {
            answer(std::move(done));
          } else {
            answer(fail(std::move(done.result.error())));
          }
        };
        writes_.push_back({std::move(call), bytes, synced, std::move(hand_over)});
        waiting_bytes_ += bytes;
        waiting_syncs_ += synced ? 1 : 0;
        write_wake_.notify_one();
        return;
      }
    }
    answer(fail(ErrorKind::busy, "too many calls wait for the spool"));
  };
  co_return co_await await_call<Spool::Call>(submit);
}

template <class T, class Call>
Task<Result<T>> DiskSpool::read(Call call) {
  auto submit = [this, &call](Answer<T> answer) {
    {
      const std::lock_guard lock(mutex_);
      if (reads_.size() < kMaxQueued) {
        reads_.push_back([&call, answer = std::move(answer)](Spool& spool) mutable {
          try {
            answer(call(spool));
          } catch (const std::exception& error) {
            answer(fail(ErrorKind::internal, std::string("the spool's thread: ") + error.what()));
          }
        });
        read_wake_.notify_one();
        return;
      }
    }
    answer(fail(ErrorKind::busy, "too many calls wait for the spool"));
  };
  co_return co_await await_call<T>(submit);
}

/// Empty when there are only chores, or the end has come.
std::vector<DiskSpool::Write> DiskSpool::next_group() {
  std::vector<Write> group;
  std::unique_lock lock(mutex_);
  write_wake_.wait(lock, [this] { return ending_ || !writes_.empty() || spool_->has_chores(); });
  if (waiting_syncs_ > 0) {
    write_wake_.wait_for(lock, kGroupWait, [this] { return ending_ || waiting_bytes_ >= kSmallGroupBytes; });
  }
  std::size_t bytes = 0;
  while (!writes_.empty() && (group.empty() || bytes + writes_.front().bytes <= kGroupBytes)) {
    bytes += writes_.front().bytes;
    waiting_bytes_ -= writes_.front().bytes;
    waiting_syncs_ -= writes_.front().synced ? 1 : 0;
    group.push_back(std::move(writes_.front()));
    writes_.pop_front();
  }
  return group;
}

void DiskSpool::serve_writes() {
  ::pthread_setname_np(::pthread_self(), "messina-spool-w");
  for (;;) {
    std::vector<Write> group = next_group();
    if (group.empty()) {
      const std::lock_guard lock(mutex_);
      if (ending_ && writes_.empty()) return;
    }
    std::vector<Spool::Call*> calls;
    calls.reserve(group.size());
    for (Write& each : group) calls.push_back(&each.call);
    const MonoTime start = clock_.now();
    try {
      spool_->commit(calls);
    } catch (const std::exception& error) {
      for (Spool::Call* call : calls) {
        call->result = fail(ErrorKind::internal, std::string("the spool's thread: ") + error.what());
      }
    }
    const Duration took = clock_.now() - start;
    {
      const std::lock_guard lock(mutex_);
      stats_.groups += group.empty() ? 0 : 1;
      stats_.calls += group.size();
      stats_.write_sum += took;
      stats_.write_max = std::max(stats_.write_max, took);
    }
    for (Write& each : group) each.answer(each.call);
  }
}

void DiskSpool::serve_reads() {
  ::pthread_setname_np(::pthread_self(), "messina-spool-r");
  std::unique_lock lock(mutex_);
  for (;;) {
    read_wake_.wait(lock, [this] { return ending_ || !reads_.empty(); });
    if (reads_.empty()) return;
    {
      Read job = std::move(reads_.front());
      reads_.pop_front();
      lock.unlock();
      job(*spool_);
    }
    lock.lock();
  }
}

DiskSpool::Stats DiskSpool::stats() const {
  Stats stats;
  {
    const std::lock_guard lock(mutex_);
    stats = stats_;
  }
  stats.cpu = cpu_of(writer_) + cpu_of(reader_);
  return stats;
}

}  // namespace messina::state
