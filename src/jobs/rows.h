// The job table's rows, for jobs.cc and runner.cc alone. Inside a transaction.
#pragma once

#include "jobs/jobs.h"
#include "jobs/process.h"
#include "store/database/database.h"

namespace holdfast::jobs {

struct JobRow {
  Job job;
  std::string digest, outcome, mark;
  bool cancel = false;
  ProcessId process;
};

// `where` follows FROM job: "WHERE name = ?".
Result<std::vector<JobRow>> rows_where(store::Tx& tx, std::string_view where,
                                       std::initializer_list<store::Value> values);
Result<JobRow> row_of(store::Tx& tx, const std::string& name);  // not_found

std::string lineage_json(const std::vector<Lineage>& lineage);
Result<Status> status_of(std::string_view text);
int64_t nanos(WallTime time);

}  // namespace holdfast::jobs
