// What the calls do; what is in the file: verify_ledger_file.cc.
#include "state/verify_ledger.h"

#include <algorithm>
#include <utility>

#include "state/verify_ledger_impl.h"

namespace messina::state {

VerifyLedger::VerifyLedger(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
VerifyLedger::~VerifyLedger() = default;

Result<std::unique_ptr<VerifyLedger>> VerifyLedger::open(const std::filesystem::path& folder,
                                                         const FileOptions& options,
                                                         std::uint64_t journal_bytes) {
  auto impl = std::make_unique<Impl>();
  impl->file = folder / "verification.db";
  impl->journal_limit = journal_bytes;
  if (auto opened = impl->open(options); !opened) return fail(std::move(opened.error()));
  return std::unique_ptr<VerifyLedger>(new VerifyLedger(std::move(impl)));
}

Result<std::optional<VerifyState>> VerifyLedger::load() {
  Transaction transaction(impl_->db);
  if (auto ok = transaction.begin_read(); !ok) return fail(std::move(ok.error()));
  auto record = impl_->record();
  if (!record) return fail(std::move(record.error()));
  if (!*record) return std::optional<VerifyState>();
  auto units = impl_->units();
  if (!units) return fail(std::move(units.error()));
  if (auto ok = impl_->know(); !ok) return fail(std::move(ok.error()));
  const Impl::Known& known = *impl_->known;
  VerifyState state{std::move(**record), std::move(*units), known.source, known.target, known.notes};
  // Beside a running process, the next call is to see what that one has done since.
  if (impl_->read_only) impl_->known.reset();
  return state;
}

Result<void> VerifyLedger::begin(const VerifyState& fresh) {
  Transaction transaction(impl_->db);
  if (auto ok = transaction.begin_write(); !ok) return ok;
  if (auto ok =
          impl_->db.exec("DELETE FROM verification; DELETE FROM unit; DELETE FROM note; DELETE FROM digest");
      !ok)
    return ok;
  for (const VerifyUnit& unit : fresh.units) {
    if (auto ok = impl_->store_unit(unit); !ok) return ok;
  }
  if (auto ok = impl_->store_digests(fresh.source, fresh.target); !ok) return ok;
  auto insert_record = impl_->db.prepare("INSERT INTO verification VALUES (1, ?)");
  if (!insert_record) return fail(std::move(insert_record.error()));
  auto inserted = insert_record->run(fresh.record);
  if (!inserted) return fail(std::move(inserted.error()));
  Impl::Known known{fresh.source, fresh.target, 0, {}};
  if (auto ok = transaction.commit(); !ok) return ok;
  impl_->known = std::move(known);
  return {};
}

Result<NoteCounts> VerifyLedger::commit(const VerifyCommit& step) { return impl_->commit(step); }

Result<std::vector<KeyNote>> VerifyLedger::notes(const NoteFilter& filter) {
  Transaction transaction(impl_->db);
  if (auto ok = transaction.begin_read(); !ok) return fail(std::move(ok.error()));
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < kVerdicts; ++i) {
    const auto verdict = static_cast<Verdict>(i);
    if (!wants(filter, verdict)) continue;
    auto read = impl_->select_keys.each([&keys](const Row& row) { keys.push_back(row.bytes(0)); },
                                        to_string(verdict), filter.after_key, filter.cause, limit_of(filter));
    if (!read) return fail(std::move(read.error()));
  }
  std::ranges::sort(keys);
  keys.resize(std::min(keys.size(), limit_of(filter)));

  std::vector<KeyNote> found;
  found.reserve(keys.size());
  for (const std::string& key : keys) {
    auto note = impl_->find_note(key, filter.items);
    if (!note) return fail(std::move(note.error()));
    if (!*note) return fail(impl_->db.damaged("its index has notes that it has not"));
    found.push_back(std::move(**note));
  }
  return found;
}

Result<std::optional<KeyNote>> VerifyLedger::note(const std::string& key) {
  return impl_->find_note(key, /*items=*/true);
}

Result<std::vector<NoteGroup>> VerifyLedger::groups() {
  NoteGroups groups;
  bool fits = true;
  auto read = impl_->select_groups.each([&](const Row& row) {
    const auto verdict = verdict_of(row.bytes(0));
    fits = fits && verdict;
    if (verdict) groups.add(*verdict, row.bytes(1), row.bytes(2));
  });
  if (!read) return fail(std::move(read.error()));
  if (!fits) return fail(impl_->db.damaged("a note's verdict is none"));
  return groups.in_order();
}

}  // namespace messina::state
