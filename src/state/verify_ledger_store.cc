#include "state/verify_ledger_store.h"

#include <utility>

namespace messina::state {

VerifyLedgerStore::VerifyLedgerStore(std::filesystem::path folder, FileOptions options)
    : folder_(std::move(folder)), options_(std::move(options)) {}

template <class T, class Call>
Task<Result<T>> VerifyLedgerStore::run(Call call) {
  auto opened = [this, call]() -> Result<T> {
    if (!ledger_) {
      auto ledger = VerifyLedger::open(folder_, options_);
      if (!ledger) return fail(std::move(ledger.error()));
      ledger_ = std::move(*ledger);
    }
    return call(*ledger_);
  };
  return thread_.run<T>(std::move(opened));
}

Task<Result<std::optional<VerifyState>>> VerifyLedgerStore::load() {
  return run<std::optional<VerifyState>>([](VerifyLedger& ledger) { return ledger.load(); });
}

Task<Result<void>> VerifyLedgerStore::begin(const VerifyState& fresh) {
  return run<void>([&fresh](VerifyLedger& ledger) { return ledger.begin(fresh); });
}

Task<Result<NoteCounts>> VerifyLedgerStore::commit(const VerifyCommit& step) {
  return run<NoteCounts>([&step](VerifyLedger& ledger) { return ledger.commit(step); });
}

Task<Result<std::vector<KeyNote>>> VerifyLedgerStore::notes(const NoteFilter& filter) {
  return run<std::vector<KeyNote>>([&filter](VerifyLedger& ledger) { return ledger.notes(filter); });
}

Task<Result<std::optional<KeyNote>>> VerifyLedgerStore::note(const std::string& key) {
  return run<std::optional<KeyNote>>([&key](VerifyLedger& ledger) { return ledger.note(key); });
}

Task<Result<std::vector<NoteGroup>>> VerifyLedgerStore::groups() {
  return run<std::vector<NoteGroup>>([](VerifyLedger& ledger) { return ledger.groups(); });
}

}  // namespace messina::state
