// Folders and files that only their owner may read, whatever the umask; private to this room.
#pragma once
#include <filesystem>

#include "base/error.h"

namespace messina::state {

/// Makes one folder with mode 0700 if it is missing, durably; true if it was made now. Its parent must exist.
Result<bool> make_private_folder(const std::filesystem::path& folder);
/// Opens a file for reading and writing, made with mode 0600 if it is missing; the caller closes the
/// descriptor.
Result<int> open_private_file(const std::filesystem::path& file);
/// Makes an empty file with mode 0600 if it is missing. One that is there is not even opened: closing a
/// descriptor of a file drops all POSIX locks that the process has on it
/// (https://www.sqlite.org/howtocorrupt.html, 2.2).
Result<void> make_private_file(const std::filesystem::path& file);
/// "… cannot be written (No space left on device): …", with the cause from errno.
Error file_error(const std::filesystem::path& what, int error_number);

}  // namespace messina::state
