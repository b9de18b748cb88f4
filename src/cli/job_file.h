// A job's file as the hub wants it: its text, and the folder that its `code` names as an archive.
#pragma once

#include <string>

#include "base/result.h"

namespace holdfast::cli {

struct JobFile {
  std::string yaml;
  std::string code;  // a tar archive; empty where the job names no folder
};

// Paths are relative to the file. Files and folders whose names begin with a dot, and __pycache__,
// stay behind. invalid_argument (with line and column where it is the YAML), not_found.
Result<JobFile> read_job_file(const std::string& path);

}  // namespace holdfast::cli
