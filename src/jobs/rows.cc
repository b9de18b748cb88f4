#include "jobs/rows.h"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace holdfast::jobs {
namespace {

namespace json = boost::json;
using store::Row;

WallTime time_of(int64_t value) {
  return WallTime(std::chrono::nanoseconds(value));
}

std::vector<Lineage> parse_lineage(std::string_view text) {
  std::vector<Lineage> out;
  if (text.empty()) return out;
  boost::system::error_code error;
  const json::value value = json::parse(text, error);
  if (error || !value.is_array()) return out;
  for (const json::value& item : value.as_array()) {
    const json::object& object = item.as_object();
    out.push_back({std::string(object.at("input").as_string()),
                   std::string(object.at("asset").as_string()), object.at("version").as_int64(),
                   std::string(object.at("digest").as_string()), object.contains("model")});
  }
  return out;
}

}  // namespace

std::string_view to_string(Status status) {
  switch (status) {
    case Status::queued:
      return "Queued";
    case Status::preparing:
      return "Preparing";
    case Status::running:
      return "Running";
    case Status::completed:
      return "Completed";
    case Status::failed:
      return "Failed";
    case Status::canceled:
      return "Canceled";
  }
  return "Unknown";
}

bool is_final(Status status) {
  return status == Status::completed || status == Status::failed || status == Status::canceled;
}

Result<Status> status_of(std::string_view text) {
  for (const Status status : {Status::queued, Status::preparing, Status::running, Status::completed,
                              Status::failed, Status::canceled}) {
    if (to_string(status) == text) return status;
  }
  return fail(Code::internal, "the status '" + std::string(text) + "' of a job is unknown");
}

int64_t nanos(WallTime time) {
  return time.time_since_epoch().count();
}

std::string lineage_json(const std::vector<Lineage>& lineage) {
  json::array out;
  for (const Lineage& one : lineage) {
    json::object object;
    object["input"] = one.input;
    object["asset"] = one.asset;
    object["version"] = one.version;
    object["digest"] = one.digest;
    if (one.model) object["model"] = true;
    out.push_back(std::move(object));
  }
  return json::serialize(out);
}

Result<std::vector<JobRow>> rows_where(store::Tx& tx, std::string_view where,
                                       std::initializer_list<store::Value> values) {
  std::vector<JobRow> out;
  std::vector<std::string> statuses;
  TRY_VOID(tx.each(
      "SELECT name, yaml, code, status, attempt, created, started, ended, exit_code, "
      "error, lineage, digest, outcome, mark, cancel, pid, pid_started FROM job " +
          std::string(where),
      values, [&](const Row& row) {
        JobRow one;
        one.job.name = std::string(row.text(0));
        one.job.yaml = std::string(row.text(1));
        one.job.code = std::string(row.text(2));
        statuses.emplace_back(row.text(3));
        one.job.attempt = row.integer(4);
        one.job.created = time_of(row.integer(5));
        one.job.started = time_of(row.integer(6));
        one.job.ended = time_of(row.integer(7));
        one.job.exit_code = row.integer(8);
        one.job.error = std::string(row.text(9));
        one.job.lineage = parse_lineage(row.text(10));
        one.digest = std::string(row.text(11));
        one.outcome = std::string(row.text(12));
        one.mark = std::string(row.text(13));
        one.cancel = row.integer(14) != 0;
        one.process = {static_cast<pid_t>(row.integer(15)), static_cast<uint64_t>(row.integer(16))};
        out.push_back(std::move(one));
        return true;
      }));
  for (size_t i = 0; i < out.size(); ++i) {
    TRY(out[i].job.status, status_of(statuses[i]));
    TRY(out[i].job.spec, parse_job(out[i].job.yaml, out[i].job.name));
  }
  return out;
}

Result<JobRow> row_of(store::Tx& tx, const std::string& name) {
  TRY(auto found, rows_where(tx, "WHERE name = ?", {std::string_view(name)}));
  if (found.empty())
    return fail(Code::not_found, "job_not_found", "there is no job '" + name + "'");
  return std::move(found.front());
}

}  // namespace holdfast::jobs
