// What the ledger does; how its file is opened, made and brought to the present format: ledger_file.cc.
#include "state/ledger.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "state/enum_names.h"
#include "state/ledger_impl.h"

namespace messina::state {
namespace {

constexpr Names<JobPhase, 3> kPhases{
    {{JobPhase::planned, "planned"}, {JobPhase::copying, "copying"}, {JobPhase::done, "done"}}};
constexpr Names<UnitState, 3> kUnitStates{
    {{UnitState::pending, "pending"}, {UnitState::skipped, "skipped"}, {UnitState::done, "done"}}};

}  // namespace

Result<void> Ledger::Impl::prepare_statements() {
  using Entry = Database::ToPrepare;
  const std::array entries{
      Entry{&select_job,
            "SELECT source, target, source_table_id, target_table_id, plan_fingerprint, phase, begun_limit,"
            " heartbeat_unix_ms, source_ttl_attribute, live_rejects, created_unix_ms, snapshot_json,"
            " (SELECT max(position) + 1 FROM unit), (SELECT id FROM spool), (SELECT counter FROM spool),"
            " (SELECT record FROM live), (SELECT history_epoch FROM live) FROM job"},
      Entry{&select_units,
            "SELECT position, id, spec, state, cursor, pages, read_items, read_bytes, written_items,"
            " rejected_items, rcu, wcu FROM unit ORDER BY position"},
      Entry{&select_rejects,
            "SELECT id, unit, reason, code, item, at_unix_ms, live,"
            " (SELECT key FROM reject_key WHERE reject = id) FROM reject WHERE id > ?1 AND (live = 1 OR NOT "
            "?2) ORDER BY id LIMIT ?3"},
      Entry{&select_live, "SELECT record FROM live"},
      Entry{&update_unit,
            "UPDATE unit SET cursor = ?2, state = ?3, pages = pages + ?4, read_items = read_items + ?5,"
            " read_bytes = read_bytes + ?6, written_items = written_items + ?7,"
            " rejected_items = rejected_items + ?8, rcu = rcu + ?9, wcu = wcu + ?10 WHERE position = ?1"},
      Entry{&update_job,
            "UPDATE job SET begun_limit = coalesce(?1, begun_limit), phase = coalesce(?2, phase),"
            " heartbeat_unix_ms = ?3, live_rejects = live_rejects + ?4,"
            " snapshot_json = coalesce(?5, snapshot_json)"},
      Entry{&replace_spool, "INSERT OR REPLACE INTO spool VALUES (1, ?, ?)"},
      Entry{&replace_live,
            "INSERT INTO live VALUES (1, ?, 0) ON CONFLICT (one) DO UPDATE SET record = excluded.record"},
      Entry{&set_history_epoch,
            "INSERT INTO live VALUES (1, '{}', ?)"
            " ON CONFLICT (one) DO UPDATE SET history_epoch = excluded.history_epoch"},
      Entry{&insert_reject,
            "INSERT INTO reject (unit, reason, code, item, at_unix_ms, live) VALUES (?, ?, ?, ?, ?, ?)"},
      Entry{&settle_reject, "UPDATE reject SET live = 0 WHERE id = ? AND live = 1"},
      Entry{&settle_unit,
            "UPDATE unit SET rejected_items = rejected_items - 1, written_items = written_items + 1"
            " WHERE id = (SELECT unit FROM reject WHERE id = ?)"},
      Entry{&settle_job, "UPDATE job SET live_rejects = live_rejects - ?"},
      Entry{&insert_reject_key, "INSERT INTO reject_key (reject, key) VALUES (last_insert_rowid(), ?)"},
      Entry{&select_reject_keys, "SELECT DISTINCT key FROM reject_key"},
      Entry{&select_rejects_of_key, "SELECT reject FROM reject_key WHERE key = ?"},
      Entry{&forget_reject_key, "DELETE FROM reject_key WHERE reject = ?"},
      Entry{&update_reject, "UPDATE reject SET reason = ?2, code = ?3, at_unix_ms = ?4 WHERE id = ?1"},
  };
  return db.prepare_all(entries);
}

Result<void> Ledger::Impl::store_spool(const std::optional<SpoolStamp>& stamp) {
  if (!stamp) return {};
  auto stored = replace_spool.run(stamp->id, stamp->counter);
  if (!stored) return fail(std::move(stored.error()));
  return {};
}

Result<void> Ledger::Impl::store_live(const LiveRecord& record) {
  auto stored = replace_live.run(to_json(record));
  if (!stored) return fail(std::move(stored.error()));
  return {};
}

Result<void> Ledger::Impl::store_reject(const Reject& reject, std::int64_t& live) {
  const auto unit = reject.unit.empty() ? std::nullopt : std::optional<std::string_view>(reject.unit);
  auto inserted =
      insert_reject.run(unit, reject.reason, reject.code, Blob{reject.item}, reject.at_unix_ms, reject.live);
  if (!inserted) return fail(std::move(inserted.error()));
  if (!reject.live) return {};
  ++live;
  if (reject.key.empty()) return {};
  auto named = insert_reject_key.run(Blob{reject.key});
  if (!named) return fail(std::move(named.error()));
  return {};
}

Result<bool> Ledger::Impl::settle(std::uint64_t id) {
  auto changed = settle_reject.run(id);
  if (!changed) return fail(std::move(changed.error()));
  if (*changed == 0) return false;
  auto moved = settle_unit.run(id);
  if (!moved) return fail(std::move(moved.error()));
  auto forgotten = forget_reject_key.run(id);
  if (!forgotten) return fail(std::move(forgotten.error()));
  return true;
}

Result<std::vector<std::uint64_t>> Ledger::Impl::rejects_of(const std::string& key) {
  std::vector<std::uint64_t> found;
  auto read =
      select_rejects_of_key.each([&found](const Row& row) { found.push_back(row.u64(0)); }, Blob{key});
  if (!read) return fail(std::move(read.error()));
  return found;
}

Ledger::Ledger(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Ledger::~Ledger() = default;

Result<std::unique_ptr<Ledger>> Ledger::open(const std::filesystem::path& folder, const Options& options) {
  auto impl = std::make_unique<Impl>();
  impl->file = folder / "ledger.db";
  if (auto opened = impl->open(options); !opened) return fail(std::move(opened.error()));
  return std::unique_ptr<Ledger>(new Ledger(std::move(impl)));
}

Result<std::optional<JobState>> Ledger::load() {
  Transaction transaction(impl_->db);
  if (auto ok = transaction.begin_read(); !ok) return fail(std::move(ok.error()));
  std::optional<JobState> state;
  bool known = true;
  auto job_read = impl_->select_job.each([&](const Row& row) {
    state.emplace();
    state->identity = {row.bytes(0), row.bytes(1), row.bytes(2), row.bytes(3), row.bytes(4)};
    const auto phase = value_of(kPhases, row.bytes(5));
    known = known && phase.has_value();
    state->phase = phase.value_or(JobPhase::planned);
    state->begun_limit = row.u64(6);
    if (!row.is_null(7)) state->heartbeat_unix_ms = row.i64(7);
    if (!row.is_null(8)) state->source_ttl_attribute = row.bytes(8);
    state->live_rejects = row.u64(9);
    state->created_unix_ms = row.i64(10);
    state->snapshot_json = row.bytes(11);
    if (!row.is_null(13)) state->spool = SpoolStamp{row.bytes(13), row.u64(14)};
    if (!row.is_null(15)) {
      Result<LiveRecord> live = live_record(row.bytes(15));
      known = known && live.has_value();
      if (live) state->live = std::move(*live);
      state->live.history_epoch = row.u64(16);
    }
    state->units.reserve(std::min<std::uint64_t>(row.u64(12), 1'000'000));
  });
  if (!job_read) return fail(std::move(job_read.error()));
  if (!state) return std::optional<JobState>();

  auto units_read = impl_->select_units.each([&](const Row& row) {
    known = known && row.u64(0) == state->units.size();
    UnitRecord& unit = state->units.emplace_back();
    unit.id = row.bytes(1);
    unit.spec = row.bytes(2);
    const auto unit_state = value_of(kUnitStates, row.bytes(3));
    known = known && unit_state.has_value();
    unit.state = unit_state.value_or(UnitState::pending);
    unit.cursor = row.bytes(4);
    unit.counts = {row.u64(5), row.u64(6), row.u64(7), row.u64(8), row.u64(9), row.real(10), row.real(11)};
  });
  if (!units_read) return fail(std::move(units_read.error()));
  if (!known) return fail(impl_->db.damaged("its rows do not fit together"));
  return state;
}

Result<void> Ledger::begin(const JobState& fresh) {
  Transaction transaction(impl_->db);
  if (auto ok = transaction.begin_write(); !ok) return ok;
  const bool keeps = skips_units(fresh);
  auto forgotten = impl_->db.exec(keeps ? "DELETE FROM reject WHERE unit IS NOT NULL OR live = 0;"
                                          "DELETE FROM reject_key WHERE reject NOT IN (SELECT id FROM reject)"
                                        : "DELETE FROM reject_key; DELETE FROM reject");
  if (!forgotten) return forgotten;
  if (auto ok = impl_->db.exec("DELETE FROM unit; DELETE FROM job"); !ok) return ok;
  auto insert_unit = impl_->db.prepare("INSERT INTO unit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  if (!insert_unit) return fail(std::move(insert_unit.error()));
  for (std::size_t position = 0; position < fresh.units.size(); ++position) {
    const UnitRecord& unit = fresh.units[position];
    const Counts& counts = unit.counts;
    auto inserted = insert_unit->run(position, unit.id, unit.spec, name_of(kUnitStates, unit.state),
                                     Blob{unit.cursor}, counts.pages, counts.read_items, counts.read_bytes,
                                     counts.written_items, counts.rejected_items, counts.rcu, counts.wcu);
    if (!inserted) return fail(std::move(inserted.error()));
  }
  auto insert_job = impl_->db.prepare(
      "INSERT INTO job VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT count(*) FROM reject), ?, ?)");
  if (!insert_job) return fail(std::move(insert_job.error()));
  const JobIdentity& identity = fresh.identity;
  auto inserted = insert_job->run(identity.source, identity.target, identity.source_table_id,
                                  identity.target_table_id, identity.plan_fingerprint,
                                  name_of(kPhases, fresh.phase), fresh.begun_limit, fresh.heartbeat_unix_ms,
                                  fresh.source_ttl_attribute, fresh.created_unix_ms, fresh.snapshot_json);
  if (!inserted) return fail(std::move(inserted.error()));
  auto epoch = impl_->set_history_epoch.run(fresh.live.history_epoch);
  if (!epoch) return fail(std::move(epoch.error()));
  return transaction.commit();
}

Result<void> Ledger::commit(const Commit& step) {
  Transaction transaction(impl_->db);
  if (auto ok = transaction.begin_write(); !ok) return ok;
  for (const Commit::UnitStep& unit_step : step.steps) {
    const Counts& delta = unit_step.delta;
    auto changed = impl_->update_unit.run(
        unit_step.unit, Blob{unit_step.cursor}, name_of(kUnitStates, unit_step.state), delta.pages,
        delta.read_items, delta.read_bytes, delta.written_items, delta.rejected_items, delta.rcu, delta.wcu);
    if (!changed) return fail(std::move(changed.error()));
    if (*changed != 1) {
      return fail(ErrorKind::internal, fmt::format("ledger \"{}\" has no unit at position {}",
                                                   impl_->file.string(), unit_step.unit));
    }
  }
  std::int64_t live = 0;
  for (const std::string& key : step.settled_keys) {
    auto ids = impl_->rejects_of(key);
    if (!ids) return fail(std::move(ids.error()));
    for (const std::uint64_t id : *ids) {
      auto settled = impl_->settle(id);
      if (!settled) return fail(std::move(settled.error()));
      live -= *settled ? 1 : 0;
    }
  }
  for (const Reject& reject : step.rejects) {
    if (auto ok = impl_->store_reject(reject, live); !ok) return ok;
  }
  const auto phase = step.phase ? std::optional(name_of(kPhases, *step.phase)) : std::nullopt;
  const auto heartbeat = step.clean_end ? std::nullopt : std::optional(step.heartbeat_unix_ms);
  const auto snapshot =
      step.snapshot_json.empty() ? std::nullopt : std::optional<std::string_view>(step.snapshot_json);
  auto changed = impl_->update_job.run(step.begun_limit, phase, heartbeat, live, snapshot);
  if (!changed) return fail(std::move(changed.error()));
  if (*changed != 1) {
    return fail(ErrorKind::internal,
                fmt::format("ledger \"{}\" has no job: begin() comes first", impl_->file.string()));
  }
  if (auto ok = impl_->store_spool(step.spool); !ok) return ok;
  if (step.live) {
    if (auto ok = impl_->store_live(*step.live); !ok) return ok;
  }
  return transaction.commit();
}

Result<Authority> Ledger::reserved_authority() {
  Authority authority;
  bool known = true;
  auto read = impl_->select_live.each([&](const Row& row) {
    const Result<LiveRecord> live = live_record(row.bytes(0));
    known = live.has_value();
    if (live) authority = live->authority;
  });
  if (!read) return fail(std::move(read.error()));
  if (!known) return fail(impl_->db.damaged("its live record is none"));
  return authority;
}

Result<void> Ledger::reserve_authority(const Authority& authority) {
  LiveRecord record;
  record.authority = authority;
  return impl_->store_live(record);
}

Result<std::vector<std::string>> Ledger::live_reject_keys() {
  std::vector<std::string> keys;
  auto read = impl_->select_reject_keys.each([&keys](const Row& row) { keys.push_back(row.bytes(0)); });
  if (!read) return fail(std::move(read.error()));
  return keys;
}

Result<std::vector<Reject>> Ledger::rejects(const RejectFilter& filter) {
  constexpr std::size_t kMaxLimit = 100'000;
  const std::size_t limit = std::clamp<std::size_t>(filter.limit, 1, kMaxLimit);
  std::vector<Reject> found;
  auto read = impl_->select_rejects.each(
      [&found](const Row& row) {
        found.push_back({row.u64(0), row.bytes(1), row.bytes(2), row.bytes(3), row.bytes(4), row.i64(5),
                         row.i64(6) != 0, row.bytes(7)});
      },
      filter.after_id.value_or(0), filter.live_only, limit);
  if (!read) return fail(std::move(read.error()));
  return found;
}

Result<void> Ledger::settle_rejects(const std::vector<std::uint64_t>& ids) {
  Transaction transaction(impl_->db);
  if (auto ok = transaction.begin_write(); !ok) return ok;
  std::int64_t settled = 0;
  for (const std::uint64_t id : ids) {
    auto done = impl_->settle(id);
    if (!done) return fail(std::move(done.error()));
    settled += *done ? 1 : 0;
  }
  auto changed = impl_->settle_job.run(settled);
  if (!changed) return fail(std::move(changed.error()));
  return transaction.commit();
}

Result<void> Ledger::update_reject(std::uint64_t id, const std::string& reason, const std::string& code,
                                   std::int64_t at_unix_ms) {
  auto changed = impl_->update_reject.run(id, reason, code, at_unix_ms);
  if (!changed) return fail(std::move(changed.error()));
  if (*changed == 0) {
    return fail(ErrorKind::not_found,
                fmt::format("ledger \"{}\" has no reject {}", impl_->file.string(), id));
  }
  return {};
}

}  // namespace messina::state
