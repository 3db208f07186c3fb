// messina's command line.
#pragma once

namespace messina::cli {

/// Runs one command and returns the exit status (base/error.h, ExitCode).
int run(int argc, char** argv);

}  // namespace messina::cli
