// The texts of --help: what a command does, examples, exit codes.
#pragma once
#include <string>

namespace messina::cli {

struct Page {
  std::string summary;
  std::string footer;
};

Page main_page();
Page copy_page();
Page migrate_page();
Page verify_page();
Page diff_page();
Page repair_page();
Page capture_page();
Page apply_page();
Page copy_unit_page();
Page schema_page();
Page check_page();
Page policy_page();
Page status_page();
Page pause_page();
Page resume_page();
Page set_page();
Page rejects_page();
Page rejects_list_page();
Page rejects_export_page();
Page rejects_retry_page();
Page selftest_page();
Page version_page();

}  // namespace messina::cli
