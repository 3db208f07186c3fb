// A verification's file: its tables, and what their rows are.
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "state/enum_names.h"
#include "state/sqlite_file.h"
#include "state/verify_ledger_impl.h"

namespace messina::state {
namespace {

constexpr FileKind kVerification{
    .name = "verification",
    .application_id = 0x6d657376,  // "mesv"
    .format = kVerificationFormat,
    .nothing = "nothing was verified",
    .start_over = "verify again",
    .begin_anew = "move it aside and verify again",
};

constexpr const char* kSchema = R"sql(
  CREATE TABLE verification (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    record TEXT NOT NULL
  ) STRICT;
  CREATE TABLE unit (
    position INTEGER PRIMARY KEY,
    side TEXT NOT NULL CHECK (side IN ('source', 'target', 'bucket')),
    id TEXT NOT NULL,
    spec TEXT NOT NULL,
    done INTEGER NOT NULL CHECK (done IN (0, 1)),
    cursor BLOB NOT NULL,
    pages INTEGER NOT NULL,
    items INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    source_rcu REAL NOT NULL,
    target_rcu REAL NOT NULL,
    UNIQUE (side, id)
  ) STRICT;
  CREATE TABLE note (
    key TEXT PRIMARY KEY NOT NULL,
    verdict TEXT NOT NULL
      CHECK (verdict IN ('suspect', 'unsettled', 'rejected', 'missing', 'extra', 'differs')),
    cause TEXT NOT NULL,
    judged_unix_ms INTEGER NOT NULL,
    places TEXT NOT NULL,
    source BLOB NOT NULL,  -- the last two: up to 400 KB each that most queries need not read
    target BLOB NOT NULL
  ) STRICT;
  -- Keys before causes: notes of some verdicts are then read in the order of their keys without sorting, and
  -- those of one cause without a look at the table.
  CREATE INDEX note_by_verdict ON note (verdict, key, cause);
  CREATE TABLE digest (
    side TEXT PRIMARY KEY NOT NULL CHECK (side IN ('source', 'target')),
    bucket_bits INTEGER NOT NULL,
    buckets BLOB NOT NULL
  ) STRICT;
  CREATE TABLE hashes (
    sequence INTEGER PRIMARY KEY,
    side TEXT NOT NULL CHECK (side IN ('source', 'target')),
    hashes BLOB NOT NULL
  ) STRICT;
)sql";

// In KiB: a side's digest at its largest, and some. What a transaction changes beyond its cache is written
// ahead of the commit, which then has to read all of it again for the checksums
// (https://www.sqlite.org/pragma.html#pragma_cache_spill).
constexpr const char* kRoomForADigest = "PRAGMA cache_size = -32768";

constexpr Names<VerifySide, kVerifySides> kSides{
    {{VerifySide::source, "source"}, {VerifySide::target, "target"}, {VerifySide::bucket, "bucket"}}};
constexpr std::string_view kSource = "source", kTarget = "target";

// Hashes and buckets are in the file as they are in memory.
static_assert(std::endian::native == std::endian::little);
constexpr std::size_t kHashBytes = sizeof(Uint128);
/// A digest is never written in place of fewer bytes of hashes.
constexpr std::uint64_t kLeastFolded = 1u << 20;
constexpr std::size_t kBucketBytes = kHashBytes + sizeof(std::uint64_t);  ///< in the file, without padding

std::size_t bytes_in_file(const item::KeyDigest& digest) { return digest.buckets().size() * kBucketBytes; }

Result<void> write(BlobWriter& blob, const item::KeyDigest& digest) {
  constexpr std::size_t kBucketsAtOnce = 2048;
  std::array<char, kBucketsAtOnce * kBucketBytes> bytes;
  for (std::span rest = digest.buckets(); !rest.empty();) {
    const std::span some = rest.first(std::min(rest.size(), kBucketsAtOnce));
    rest = rest.subspan(some.size());
    char* at = bytes.data();
    for (const item::KeyDigest::Bucket& bucket : some) {
      std::memcpy(at, &bucket.sum, kHashBytes);
      std::memcpy(at + kHashBytes, &bucket.keys, sizeof bucket.keys);
      at += kBucketBytes;
    }
    if (auto ok = blob.write({bytes.data(), at}); !ok) return ok;
  }
  return {};
}

std::optional<item::KeyDigest> digest_of(std::int64_t bucket_bits, const std::string& bytes) {
  if (bucket_bits < 0 || bucket_bits > item::KeyDigest::kMaxBucketBits) return std::nullopt;
  std::vector<item::KeyDigest::Bucket> buckets(std::size_t{1} << bucket_bits);
  if (bytes.size() != buckets.size() * kBucketBytes) return std::nullopt;
  const char* at = bytes.data();
  for (item::KeyDigest::Bucket& bucket : buckets) {
    std::memcpy(&bucket.sum, at, kHashBytes);
    std::memcpy(&bucket.keys, at + kHashBytes, sizeof bucket.keys);
    at += kBucketBytes;
  }
  return item::KeyDigest(std::move(buckets));
}

/// False if they are no whole hashes.
bool add_bytes(item::KeyDigest& digest, const std::string& hashes) {
  for (std::size_t at = 0; at + kHashBytes <= hashes.size(); at += kHashBytes) {
    Uint128 hash = 0;
    std::memcpy(&hash, hashes.data() + at, kHashBytes);
    digest.add(hash);
  }
  return hashes.size() % kHashBytes == 0;
}

int bucket_bits(const item::KeyDigest& digest) { return std::countr_zero(digest.buckets().size()); }

}  // namespace

Result<void> VerifyLedger::Impl::open(const FileOptions& options) {
  read_only = options.access == Access::read_only;
  auto fresh = open_file(db, kVerification, file, options);
  if (!fresh) return fail(std::move(fresh.error()));
  if (*fresh) {
    if (auto ok = create(); !ok) return ok;
  }
  if (auto ok = db.exec(kRoomForADigest); !ok) return ok;
  return prepare_statements();
}

Result<void> VerifyLedger::Impl::create() {
  Transaction transaction(db);
  if (auto ok = transaction.begin_write(); !ok) return ok;
  if (auto ok = db.exec(kSchema); !ok) return ok;
  if (auto ok = mark_format(db, kVerification); !ok) return ok;
  return transaction.commit();
}

Result<void> VerifyLedger::Impl::prepare_statements() {
  using Entry = Database::ToPrepare;
  const std::array entries{
      Entry{&select_record, "SELECT record FROM verification"},
      Entry{&update_record, "UPDATE verification SET record = ?"},
      Entry{&select_units,
            "SELECT position, id, spec, side, done, cursor, pages, items, bytes, source_rcu, target_rcu"
            " FROM unit ORDER BY position"},
      Entry{&insert_unit,
            "INSERT INTO unit (position, id, spec, side, done, cursor, pages, items, bytes, source_rcu,"
            " target_rcu) VALUES ((SELECT coalesce(max(position) + 1, 0) FROM unit),"
            " ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
      Entry{&update_unit,
            "UPDATE unit SET cursor = ?2, done = ?3, pages = pages + ?4, items = items + ?5,"
            " bytes = bytes + ?6, source_rcu = source_rcu + ?7, target_rcu = target_rcu + ?8"
            " WHERE position = ?1"},
      Entry{&select_note,
            "SELECT verdict, cause, judged_unix_ms, places, CASE ?2 WHEN 1 THEN source ELSE x'' END,"
            " CASE ?2 WHEN 1 THEN target ELSE x'' END FROM note WHERE key = ?1"},
      Entry{&select_verdict, "SELECT verdict FROM note WHERE key = ?"},
      Entry{&select_keys,
            "SELECT key FROM note INDEXED BY note_by_verdict WHERE verdict = ?1 AND key > ?2"
            " AND (?3 IS NULL OR cause = ?3) ORDER BY key LIMIT ?4"},
      Entry{&select_groups,
            "SELECT verdict, cause, key FROM note INDEXED BY note_by_verdict ORDER BY verdict, key"},
      Entry{&count_notes, "SELECT verdict, count(*) FROM note INDEXED BY note_by_verdict GROUP BY verdict"},
      Entry{&replace_note,
            "INSERT OR REPLACE INTO note (key, verdict, cause, judged_unix_ms, places, source, target)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)"},
      Entry{&delete_note, "DELETE FROM note WHERE key = ?"},
      Entry{&select_digests, "SELECT side, bucket_bits, buckets FROM digest"},
      Entry{&select_digest_row, "SELECT rowid FROM digest WHERE side = ? AND bucket_bits = ?"},
      Entry{&replace_digest,
            "INSERT OR REPLACE INTO digest (side, bucket_bits, buckets) VALUES (?, ?, zeroblob(?))"},
      Entry{&select_hashes, "SELECT side, hashes FROM hashes"},
      Entry{&insert_hashes, "INSERT INTO hashes (side, hashes) VALUES (?, ?)"},
      Entry{&delete_hashes, "DELETE FROM hashes WHERE side = ?"},
  };
  return db.prepare_all(entries);
}

Result<std::optional<std::string>> VerifyLedger::Impl::record() {
  std::optional<std::string> record;
  auto read = select_record.each([&record](const Row& row) { record = row.bytes(0); });
  if (!read) return fail(std::move(read.error()));
  return record;
}

Result<std::vector<VerifyUnit>> VerifyLedger::Impl::units() {
  std::vector<VerifyUnit> units;
  bool fits = true;
  auto read = select_units.each([&](const Row& row) {
    const auto side = value_of(kSides, row.bytes(3));
    fits = fits && row.u64(0) == units.size() && side;
    units.push_back({row.bytes(1),
                     row.bytes(2),
                     side.value_or(VerifySide::source),
                     row.i64(4) != 0,
                     row.bytes(5),
                     {row.u64(6), row.u64(7), row.u64(8), row.real(9), row.real(10)}});
  });
  if (!read) return fail(std::move(read.error()));
  if (!fits) return fail(db.damaged("its units do not fit together"));
  return units;
}

Result<void> VerifyLedger::Impl::know() {
  if (known) return {};
  Known found;
  int digests = 0;
  bool fits = true;
  const auto digest_of_side = [&found](const Row& row) -> item::KeyDigest& {
    return row.bytes(0) == kSource ? found.source : found.target;
  };
  auto read = select_digests.each([&](const Row& row) {
    auto digest = digest_of(row.i64(1), row.bytes(2));
    fits = fits && digest;
    ++digests;
    if (digest) digest_of_side(row) = std::move(*digest);
  });
  if (!read) return read;
  if (!fits || digests != 2) return fail(db.damaged("its digests are none"));

  read = select_hashes.each([&](const Row& row) {
    const std::string hashes = row.bytes(1);
    fits = add_bytes(digest_of_side(row), hashes) && fits;
    found.journal_bytes += hashes.size();
  });
  if (!read) return read;
  read = count_notes.each([&](const Row& row) {
    const auto verdict = verdict_of(row.bytes(0));
    fits = fits && verdict;
    if (verdict) found.notes[static_cast<std::size_t>(*verdict)] = row.u64(1);
  });
  if (!read) return read;
  if (!fits) return fail(db.damaged("its rows are none of this format"));
  known = std::move(found);
  return {};
}

Result<std::optional<KeyNote>> VerifyLedger::Impl::find_note(const std::string& key, bool items) {
  std::optional<KeyNote> note;
  bool fits = true;
  auto read = select_note.each(
      [&](const Row& row) {
        const auto verdict = verdict_of(row.bytes(0));
        fits = verdict.has_value();
        note = KeyNote{.key = key,
                       .verdict = verdict.value_or(Verdict::suspect),
                       .cause = row.bytes(1),
                       .places = row.bytes(3),
                       .source = row.bytes(4),
                       .target = row.bytes(5),
                       .judged_unix_ms = row.i64(2)};
      },
      key, items);
  if (!read) return fail(std::move(read.error()));
  if (!fits) return fail(db.damaged("a note's verdict is none"));
  return note;
}

Result<void> VerifyLedger::Impl::store_unit(const VerifyUnit& unit) {
  const VerifyCounts& counts = unit.counts;
  auto stored =
      insert_unit.run(unit.id, unit.spec, name_of(kSides, unit.side), unit.done, Blob{unit.cursor},
                      counts.pages, counts.items, counts.bytes, counts.source_rcu, counts.target_rcu);
  if (!stored) return fail(std::move(stored.error()));
  return {};
}

Result<void> VerifyLedger::Impl::store_step(const VerifyCommit::UnitStep& step) {
  const VerifyCounts& delta = step.delta;
  auto changed = update_unit.run(step.unit, Blob{step.cursor}, step.done, delta.pages, delta.items,
                                 delta.bytes, delta.source_rcu, delta.target_rcu);
  if (!changed) return fail(std::move(changed.error()));
  if (*changed == 1) return {};
  return fail(ErrorKind::internal,
              fmt::format("verification \"{}\" has no unit at position {}", file.string(), step.unit));
}

Result<void> VerifyLedger::Impl::store_note(const KeyNote& note) {
  std::optional<Verdict> former;
  auto read = select_verdict.each([&former](const Row& row) { former = verdict_of(row.bytes(0)); }, note.key);
  if (!read) return read;
  if (!replaces(former, note.verdict)) return {};
  count(known->notes, former, note.verdict);
  auto stored = note.verdict == Verdict::equal
                    ? delete_note.run(note.key)
                    : replace_note.run(note.key, to_string(note.verdict), note.cause, note.judged_unix_ms,
                                       note.places, Blob{note.source}, Blob{note.target});
  if (!stored) return fail(std::move(stored.error()));
  return {};
}

Result<void> VerifyLedger::Impl::store_digests(const item::KeyDigest& source, const item::KeyDigest& target) {
  // The journal first: the digests then take its place in the file.
  if (auto ok = db.exec("DELETE FROM hashes"); !ok) return ok;
  if (auto ok = store_digest(kSource, source); !ok) return ok;
  return store_digest(kTarget, target);
}

Result<void> VerifyLedger::Impl::store_digest(std::string_view side, const item::KeyDigest& digest) {
  std::int64_t row = 0;
  auto found = select_digest_row.each([&row](const Row& r) { row = r.i64(0); }, side, bucket_bits(digest));
  if (!found) return found;
  if (row == 0) {
    auto made = replace_digest.run(side, bucket_bits(digest), bytes_in_file(digest));
    if (!made) return fail(std::move(made.error()));
    row = db.last_inserted_row();
  }
  BlobWriter blob;
  if (auto ok = blob.open(db, "digest", "buckets", row); !ok) return ok;
  return write(blob, digest);
}

Result<NoteCounts> VerifyLedger::Impl::commit(const VerifyCommit& step) {
  Transaction transaction(db);
  if (auto ok = transaction.begin_write(); !ok) return fail(std::move(ok.error()));
  auto begun = record();
  if (!begun) return fail(std::move(begun.error()));
  if (!*begun) {
    return fail(ErrorKind::internal,
                fmt::format("verification \"{}\" is not begun: begin() comes first", file.string()));
  }
  if (auto ok = know(); !ok) return fail(std::move(ok.error()));
  // What is known goes ahead of the file: unless all comes to its end, it is read again.
  struct Forget {
    std::optional<Known>* known;
    ~Forget() {
      if (known != nullptr) known->reset();
    }
  } otherwise{&known};
  for (const VerifyUnit& unit : step.new_units) {
    if (auto ok = store_unit(unit); !ok) return fail(std::move(ok.error()));
  }
  for (const VerifyCommit::UnitStep& unit_step : step.steps) {
    if (auto ok = store_step(unit_step); !ok) return fail(std::move(ok.error()));
  }
  for (const KeyNote& note : step.notes) {
    if (auto ok = store_note(note); !ok) return fail(std::move(ok.error()));
  }
  if (step.record) {
    auto stored = update_record.run(*step.record);
    if (!stored) return fail(std::move(stored.error()));
  }
  if (auto ok = store_hashes(step); !ok) return fail(std::move(ok.error()));
  if (auto ok = transaction.commit(); !ok) return fail(std::move(ok.error()));
  otherwise.known = nullptr;
  return known->notes;
}

Result<void> VerifyLedger::Impl::store_hashes(const VerifyCommit& step) {
  const std::uint64_t more = (step.source_keys.hashes.size() + step.target_keys.hashes.size()) * kHashBytes;
  if (known->journal_bytes > 0 && known->journal_bytes + more > journal_limit) {
    // The digests as they were before this step are what the checkpoint and the journal come to.
    if (auto ok = store_digests(known->source, known->target); !ok) return ok;
    known->journal_bytes = 0;
  }
  const auto store = [&](std::string_view side, const ReadKeys& keys, item::KeyDigest& digest) {
    add(digest, keys);
    const std::uint64_t bytes = keys.hashes.size() * kHashBytes;
    if (!keys.sums && bytes <= std::max<std::uint64_t>(bytes_in_file(digest), kLeastFolded)) {
      known->journal_bytes += bytes;
      return append(side, keys.hashes);
    }
    if (auto deleted = delete_hashes.run(side); !deleted) return Result<void>(fail(deleted.error()));
    return store_digest(side, digest);
  };
  if (auto ok = store(kSource, step.source_keys, known->source); !ok) return ok;
  return store(kTarget, step.target_keys, known->target);
}

Result<void> VerifyLedger::Impl::append(std::string_view side, const std::vector<Uint128>& hashes) {
  if (hashes.empty()) return {};
  const std::string_view bytes(reinterpret_cast<const char*>(hashes.data()), hashes.size() * kHashBytes);
  auto stored = insert_hashes.run(side, Blob{bytes});
  if (!stored) return fail(std::move(stored.error()));
  return {};
}

}  // namespace messina::state
