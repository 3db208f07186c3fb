// The spool's folder, and the disk that it is on; private to this room.
#pragma once
#include <cstdint>
#include <filesystem>

#include "base/error.h"
#include "state/spool.h"

namespace messina::state {

/// Makes the spool's folders (0700) and its FORMAT file where they are missing, durably. Errors: disk;
/// needs_person for a newer format; corrupt for a FORMAT that cannot be read.
Result<void> prepare_spool_folder(const std::filesystem::path& folder);
/// What SpoolOptions::free_bytes says.
Result<std::uint64_t> spool_free_bytes(const SpoolOptions& options, const std::filesystem::path& folder);
/// Bytes that all files below take on the disk. Files that come and go meanwhile are counted or not.
std::uint64_t folder_bytes(const std::filesystem::path& folder);

}  // namespace messina::state
