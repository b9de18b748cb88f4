#include "jobs/http/api.h"

#include <fcntl.h>
#include <unistd.h>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/files.h"
#include "jobs/code.h"

namespace holdfast::jobs {
namespace {

namespace json = boost::json;
using Answer = Task<Result<http::Response>>;

constexpr uint64_t kBody = 256 << 10;
constexpr auto kLook = std::chrono::milliseconds(100);

http::Response answer(unsigned status, const json::value& value) {
  return http::Response(status, "application/json", json::serialize(value));
}

json::value time_text(WallTime time) {
  if (time == WallTime{}) return nullptr;
  return json::value(format_rfc3339(time));
}

json::object describe(const Job& job) {
  json::object out;
  out["name"] = job.name;
  out["display_name"] = job.spec.display_name;
  out["experiment"] = job.spec.experiment;
  out["status"] = to_string(job.status);
  out["attempt"] = job.attempt;
  out["created"] = time_text(job.created);
  out["started"] = time_text(job.started);
  out["ended"] = time_text(job.ended);
  out["exit_code"] = job.exit_code < 0 ? json::value(nullptr) : json::value(job.exit_code);
  out["error"] = job.error;
  out["code"] = job.code;
  json::object tags;
  for (const auto& [name, value] : job.spec.tags) tags[name] = value;
  out["tags"] = std::move(tags);
  json::array data, models;
  for (const Lineage& one : job.lineage) {
    json::object input;
    input["input"] = one.input;
    input[one.model ? "model" : "asset"] = one.asset;
    input["version"] = std::to_string(one.version);
    input["digest"] = one.digest;
    (one.model ? models : data).push_back(std::move(input));
  }
  out["data"] = std::move(data);
  out["models"] = std::move(models);
  return out;
}

struct Wanted {
  std::string name, yaml, code;
};

Result<Wanted> parse_wanted(const std::string& body) {
  boost::system::error_code error;
  const json::value value = json::parse(body, error);
  if (error || !value.is_object())
    return fail(Code::invalid_argument,
                R"(the body must be like {"yaml":"command: …","code":"<id>"})");
  Wanted out;
  for (const auto& [key, item] : value.as_object()) {
    std::string* into = key == "name"   ? &out.name
                        : key == "yaml" ? &out.yaml
                        : key == "code" ? &out.code
                                        : nullptr;
    if (into == nullptr)
      return fail(Code::invalid_argument,
                  "unknown field '" + std::string(key) + "'; name, yaml and code are known");
    if (!item.is_string())
      return fail(Code::invalid_argument, "the field '" + std::string(key) + "' must be a text");
    *into = std::string(item.as_string());
  }
  if (out.yaml.empty()) return fail(Code::invalid_argument, "the field 'yaml' is required");
  return out;
}

// The job's log from its beginning; with `follow` until the job has ended.
class LogSource final : public ByteSource {
 public:
  LogSource(Jobs& jobs, std::string name, bool follow)
      : jobs_(jobs), name_(std::move(name)), path_(jobs.log_path(name_)), follow_(follow) {}

  Task<Result<size_t>> read(std::span<std::byte> into) override {
    while (true) {
      // Asked before the file is read: what a job wrote before its end is not missed.
      CO_TRY(const Job job, co_await jobs_.find(name_));
      auto look = [this, into] { return read_now(into); };
      CO_TRY(const size_t got, co_await jobs_.pool().run(std::move(look)));
      if (got > 0 || !follow_ || is_final(job.status)) co_return got;
      CO_TRY_VOID(co_await sleep_for(kLook));
    }
  }

 private:
  Result<size_t> read_now(std::span<std::byte> into) {
    if (!file_) {
      auto opened = open_file(path_, O_RDONLY | O_CLOEXEC);
      if (!opened && opened.error().code() == Code::not_found) return 0;  // nothing printed yet
      TRY(file_, std::move(opened));
    }
    const ssize_t got = pread(file_.get(), into.data(), into.size(), at_);
    if (got < 0) return std::unexpected(errno_error(errno, "the log"));
    at_ += got;
    return static_cast<size_t>(got);
  }

  Jobs& jobs_;
  std::string name_, path_;
  bool follow_;
  Fd file_;
  off_t at_ = 0;
};

struct Api {
  explicit Api(Jobs& jobs_) : jobs(jobs_) {}
  Jobs& jobs;

  Answer code(http::Request& request) {
    CO_TRY(std::string tar, co_await read_all(*request.body, kCodeBytes));
    CO_TRY(const std::string id, co_await jobs.put_code(std::move(tar)));
    json::object out;
    out["id"] = id;
    co_return answer(201, out);
  }
  Answer create(http::Request& request) {
    CO_TRY(const std::string body, co_await read_all(*request.body, kBody));
    CO_TRY(Wanted wanted, parse_wanted(body));
    CO_TRY(const Job made, co_await jobs.create(std::move(wanted.name), std::move(wanted.yaml),
                                                std::move(wanted.code)));
    co_return answer(201, describe(made));
  }
  Answer list(http::Request& request) {
    const auto limit = parse_u64(request.query_value("limit").value_or("100"));
    if (!limit || *limit == 0 || *limit > 1000)
      co_return fail(Code::invalid_argument, "limit must be a number from 1 to 1000");
    CO_TRY(const auto found, co_await jobs.list(*limit));
    json::array rows;
    for (const Job& job : found) rows.push_back(describe(job));
    json::object out;
    out["jobs"] = std::move(rows);
    co_return answer(200, out);
  }
  Answer show(http::Request& request) {
    CO_TRY(const Job job, co_await jobs.find(std::string(request.param("name"))));
    co_return answer(200, describe(job));
  }
  Answer cancel(http::Request& request) {
    CO_TRY(const Job job, co_await jobs.cancel(std::string(request.param("name"))));
    co_return answer(202, describe(job));
  }
  Answer logs(http::Request& request) {
    CO_TRY(const Job job, co_await jobs.find(std::string(request.param("name"))));
    const std::string_view follow = request.query_value("follow").value_or("false");
    if (follow != "true" && follow != "false")
      co_return fail(Code::invalid_argument, "follow must be true or false");
    http::Response response(200);
    response.header("Content-Type", "text/plain; charset=utf-8");
    http::StreamBody body;
    body.source = std::make_unique<LogSource>(jobs, job.name, follow == "true");
    response.body = std::move(body);
    co_return response;
  }
};

}  // namespace

void mount(http::Router& router, Jobs& jobs) {
  using http::Role;
  auto api = std::make_shared<Api>(jobs);
  const auto add = [&](std::string_view method, std::string_view pattern, Role role,
                       Answer (Api::*handler)(http::Request&)) {
    router.add(method, pattern, role,
               [api, handler](http::Request& request) { return ((*api).*handler)(request); });
  };
  router.limit_bodies("/api/v1/code", kCodeBytes);
  add("PUT", "/api/v1/code", Role::operator_, &Api::code);
  add("POST", "/api/v1/jobs", Role::operator_, &Api::create);
  add("GET", "/api/v1/jobs", Role::reader, &Api::list);
  add("GET", "/api/v1/jobs/{name}", Role::reader, &Api::show);
  add("POST", "/api/v1/jobs/{name}/cancel", Role::operator_, &Api::cancel);
  add("GET", "/api/v1/jobs/{name}/logs", Role::reader, &Api::logs);
}

}  // namespace holdfast::jobs
