// What a job is, and what the hub makes of jobs.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "jobs/job_yaml.h"
#include "net/task.h"

namespace holdfast::jobs {

enum class Status { queued, preparing, running, completed, failed, canceled };
std::string_view to_string(Status status);  // "Queued" … "Canceled"
bool is_final(Status status);

struct Lineage {  // what an input was at the job's start
  std::string input, asset;
  int64_t version = 0;
  std::string digest;
  bool model = false;  // `asset` is a registered model
};
struct Job {
  std::string name, yaml, code;
  JobSpec spec;
  Status status = Status::queued;
  int64_t attempt = 0;               // the present or last one, from 1; 0: not yet begun
  WallTime created, started, ended;  // WallTime{}: not yet
  int64_t exit_code = -1;            // of the last attempt; -1: none
  std::string error;
  std::vector<Lineage> lineage;
};

// What the hub makes of jobs. Each may be called again with the same, and must do the same then.
struct Hooks {
  // The version of a registered model that an input names now; without it there are no models.
  std::function<Task<Result<Lineage>>(Input)> resolve_model;
  // Writes its files into the folder, which is there and empty.
  std::function<Task<Result<void>>(Lineage model, std::string folder)> fetch_model;
  // Before the command of an attempt starts; variables to set for it. A failure fails the job.
  std::function<Task<Result<Pairs>>(Job)> begin;
  // After it; `status` is final, `outputs` is the folder of the outputs by name. Repeated until it
  // succeeds: only then the job has the status. Also for attempts that never came to begin().
  std::function<Task<Result<void>>(Job, Status status, std::string outputs)> finish;
};

}  // namespace holdfast::jobs
