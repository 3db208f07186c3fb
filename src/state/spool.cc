#include "state/spool.h"

#include <utility>

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include "state/spool_files.h"
#include "state/spool_impl.h"

namespace messina::state {
namespace {

rocksdb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }

}  // namespace

Spool::Impl::Impl(std::filesystem::path in_folder, SpoolOptions in_options, const Clock& in_clock)
    : folder(std::move(in_folder)),
      options(std::move(in_options)),
      clock(in_clock),
      batch(std::make_unique<rocksdb::WriteBatch>()) {}

Spool::Impl::~Impl() { stop_reclaiming(); }

Result<void> Spool::Impl::open_db() {
  auto opened = SpoolDb::open(folder, options, barrier);
  if (!opened) return fail(std::move(opened.error()));
  db = std::move(*opened);
  return {};
}

Result<void> Spool::Impl::open(Random& random) {
  if (auto ok = prepare_spool_folder(folder); !ok) return ok;
  if (auto ok = open_db(); !ok) return ok;

  const auto read = [this](std::string_view name, std::string& value) {
    return (*db)->Get(rocksdb::ReadOptions(), db->meta(), slice(name), &value);
  };
  std::string state;
  rocksdb::Status status = read(kIdRecord, id);
  if (status.ok()) {
    status = read(kCountersRecord, state);
    const auto known = status.ok() ? decode_counters(state) : std::nullopt;
    if (!known) return fail(error(status.ok() ? rocksdb::Status::Corruption("its counters") : status));
    counters = *known;
    newest_undated = counters.generation;
    status = read(kDomainRecord, domain);
    if (!status.ok() && !status.IsNotFound()) return fail(error(status));
  } else if (status.IsNotFound()) {
    id = fmt::format("{:016x}{:016x}", random.next(), random.next());
    batch->Put(db->meta(), slice(kIdRecord), slice(id));
  } else {
    return fail(error(status));
  }
  std::string touches;
  status = read(kTouchesRecord, touches);
  if (!status.ok() && !status.IsNotFound()) return fail(error(status));
  // Else a messina that knows of no touches had the spool open meanwhile, and put without them.
  const bool all_kept = status.ok() && decode_incarnation(touches) == counters.incarnation;
  ++counters.incarnation;
  incarnation = {counters.incarnation, clock.now()};
  barrier->store(counters.barrier);
  Step step{.next = counters,
            .domain = domain,
            .keeps_touches = all_kept,
            .synced = true,
            .gone = {},
            .settled_keys = {}};
  if (all_kept) {
    put_touches_record();
  } else {
    change_touches(step, false);
  }
  // Else an older spool would seem to be the newest once it was opened often enough.
  step.counts = false;
  return write(step);
}

Result<void> Spool::Impl::reopen() {
  const std::unique_lock lock(db_mutex);
  stop_reclaiming();
  rewrite.reset();
  db.reset();
  if (auto ok = open_db(); !ok) return ok;
  broken = false;
  return {};
}

void Spool::Impl::stop_reclaiming() {
  stop_reclaim = true;
  if (reclaimer.joinable()) reclaimer.join();
  stop_reclaim = false;
}

Spool::Spool(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Spool::~Spool() = default;

Result<std::unique_ptr<Spool>> Spool::open(const std::filesystem::path& folder, const SpoolOptions& options,
                                           const Clock& clock, Random& random) {
  SpoolOptions complete = options;
  if (complete.memory == nullptr) complete.memory = std::make_shared<SpoolMemory>();
  auto impl = std::make_unique<Impl>(folder, std::move(complete), clock);
  if (auto opened = impl->open(random); !opened) return fail(std::move(opened.error()));
  return std::unique_ptr<Spool>(new Spool(std::move(impl)));
}

void Spool::commit(std::span<Call* const> calls) { impl_->commit(calls); }
bool Spool::has_chores() const {
  return !impl_->broken && (impl_->desk.has_dead() || impl_->rewrite || impl_->rewrite_is_due());
}
Result<Taken> Spool::take(const TakeRequest& request) { return impl_->take(request); }
void Spool::release(std::span<const std::string> keys) { impl_->desk.release(keys); }

SpoolStamp Spool::stamp() const {
  const std::lock_guard lock(impl_->published_mutex);
  return {impl_->id, impl_->published.counter};
}

std::string Spool::domain() const {
  const std::lock_guard lock(impl_->published_mutex);
  return impl_->domain;
}

bool Spool::keeps_touches() const {
  const std::lock_guard lock(impl_->published_mutex);
  return impl_->keeps_touches;
}

void Spool::reclaim() {
  const auto lock = impl_->reading();
  if (!lock || impl_->reclaiming.exchange(true)) return;
  impl_->stop_reclaiming();  // joins the former one
  impl_->reclaimer = std::thread([impl = impl_.get()] {
    impl->db->compact_entries(impl->stop_reclaim);
    impl->reclaiming = false;
  });
}

}  // namespace messina::state
