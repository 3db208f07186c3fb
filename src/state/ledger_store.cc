#include "state/ledger_store.h"

#include <algorithm>
#include <ctime>
#include <exception>
#include <memory>
#include <string>
#include <utility>

#include <pthread.h>

#include "state/await_call.h"

namespace messina::state {

LedgerStore::LedgerStore(std::unique_ptr<Ledger> ledger, const Clock& clock)
    : ledger_(std::move(ledger)), clock_(clock), thread_([this] { serve(); }) {}

LedgerStore::~LedgerStore() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

Task<Result<std::optional<JobState>>> LedgerStore::load() {
  return run<std::optional<JobState>>([](Ledger& ledger) { return ledger.load(); });
}

Task<Result<void>> LedgerStore::begin(const JobState& fresh) {
  return run<void>([&fresh](Ledger& ledger) { return ledger.begin(fresh); });
}

Task<Result<void>> LedgerStore::commit(const Commit& step) {
  return run<void>([this, &step](Ledger& ledger) { return timed_commit(ledger, step); });
}

Task<Result<std::vector<std::string>>> LedgerStore::live_reject_keys() {
  return run<std::vector<std::string>>([](Ledger& ledger) { return ledger.live_reject_keys(); });
}

Task<Result<std::vector<Reject>>> LedgerStore::rejects(const RejectFilter& filter) {
  return run<std::vector<Reject>>([&filter](Ledger& ledger) { return ledger.rejects(filter); });
}

Task<Result<Authority>> LedgerStore::reserved_authority() {
  return run<Authority>([](Ledger& ledger) { return ledger.reserved_authority(); });
}

Task<Result<void>> LedgerStore::reserve_authority(const Authority& authority) {
  return run<void>([&authority](Ledger& ledger) { return ledger.reserve_authority(authority); });
}

LedgerStore::Stats LedgerStore::stats() const {
  Stats stats;
  {
    const std::lock_guard lock(mutex_);
    stats = stats_;
  }
  clockid_t clock_id{};
  timespec cpu{};
  // pthread_getcpuclockid wants a handle that is not const.
  const pthread_t handle = const_cast<std::thread&>(thread_).native_handle();
  if (::pthread_getcpuclockid(handle, &clock_id) == 0 && ::clock_gettime(clock_id, &cpu) == 0) {
    stats.cpu = std::chrono::seconds(cpu.tv_sec) + std::chrono::nanoseconds(cpu.tv_nsec);
  }
  return stats;
}

template <class T, class Call>
Task<Result<T>> LedgerStore::run(Call call) {
  auto submit = [this, &call](Answer<T> answer) {
    auto shared = std::make_shared<Answer<T>>(std::move(answer));
    Job job = [&call, shared](Ledger& ledger) {
      try {
        (*shared)(call(ledger));
      } catch (const std::exception& error) {
        (*shared)(fail(ErrorKind::internal, std::string("the ledger's thread: ") + error.what()));
      }
    };
    if (!enqueue(job)) (*shared)(fail(ErrorKind::busy, "too many calls wait for the ledger"));
  };
  co_return co_await await_call<T>(submit);
}

Result<void> LedgerStore::timed_commit(Ledger& ledger, const Commit& step) {
  const MonoTime start = clock_.now();
  auto result = ledger.commit(step);
  const Duration took = clock_.now() - start;
  if (result) {
    const std::lock_guard lock(mutex_);
    ++stats_.commits;
    stats_.commit_sum += took;
    stats_.commit_max = std::max(stats_.commit_max, took);
  }
  return result;
}

bool LedgerStore::enqueue(Job& job) {
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= kMaxQueued) return false;
    queue_.push_back(std::move(job));
  }
  wake_.notify_one();
  return true;
}

void LedgerStore::serve() {
  ::pthread_setname_np(::pthread_self(), "messina-ledger");
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return ending_ || !queue_.empty(); });
    if (queue_.empty()) return;
    {
      Job job = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      job(*ledger_);
    }
    lock.lock();
  }
}

}  // namespace messina::state
