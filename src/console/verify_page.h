// A verification as a page that people read, print and sign: what was compared, what was found, and what the
// verdict means (pure). It has no keys and no values of items.
#pragma once
#include <string>
#include <string_view>

#include "console/verify_text.h"

namespace messina::console {

/// `version` of messina. HTML: one file, with its style in it and no script.
std::string verify_report_html(const VerifyOutcome& outcome, std::string_view version);
std::string verify_report_markdown(const VerifyOutcome& outcome, std::string_view version);

}  // namespace messina::console
