#include "care.h"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "blob/usage.h"

namespace holdfast {
namespace {

namespace json = boost::json;
using Answer = Task<Result<http::Response>>;

http::Response answer(unsigned status, const json::value& value) {
  return http::Response(status, "application/json", json::serialize(value));
}

std::string time_text(WallTime time) {
  return time == WallTime{} ? "" : format_rfc3339(time, 0);
}

struct Api {
  store::ContentCare& care;
  store::Database& database;

  Answer usage(http::Request&) {
    CO_TRY(const store::StorageUsage all, co_await care.usage());
    auto read = [](store::Tx& tx) { return blob::container_usage(tx); };
    CO_TRY(const auto containers, co_await database.read(std::move(read)));
    json::array rows;
    for (const blob::ContainerUsage& of : containers) {
      json::object row;
      row["account"] = of.account;
      row["container"] = of.container;
      row["blobs"] = of.blobs;
      row["size"] = of.bytes;
      row["waiting_blocks"] = of.waiting_blocks;
      row["waiting_bytes"] = of.waiting_bytes;
      rows.push_back(std::move(row));
    }
    json::object store;
    store["contents"] = all.contents;
    store["live_bytes"] = all.live_bytes;
    store["garbage_bytes"] = all.released_bytes + all.dead_bytes;
    store["files"] = all.files;
    store["segments"] = all.segments;
    store["segment_bytes"] = all.segment_bytes;
    store["damaged"] = all.damaged;
    store["quarantine_bytes"] = all.quarantine_bytes;
    store["free_bytes"] = all.disk_free;
    json::object out;
    out["store"] = std::move(store);
    out["containers"] = std::move(rows);
    co_return answer(200, out);
  }
  Answer check(http::Request&) {
    CO_TRY(const store::StorageCheck found, co_await care.check());
    json::array rows;
    for (const store::StorageFinding& finding : found.findings) {
      json::object row;
      row["kind"] = finding.kind;
      row["file"] = finding.file;
      row["content"] = finding.content;
      row["size"] = finding.size;
      row["what"] = finding.what;
      rows.push_back(std::move(row));
    }
    json::object out;
    out["contents"] = found.contents;
    out["missing"] = found.missing;
    out["damaged"] = found.damaged;
    out["orphaned"] = found.orphaned;
    out["findings"] = std::move(rows);
    co_return answer(200, out);
  }
  Answer repair(http::Request&) {
    CO_TRY(const store::StorageRepair done, co_await care.repair());
    json::object out;
    out["orphans_removed"] = done.removed;
    out["freed_bytes"] = done.freed_bytes;
    out["quarantined"] = done.quarantined;
    out["cleared"] = done.cleared;
    out["missing"] = done.missing;
    co_return answer(200, out);
  }
  Answer progress(http::Request&) {
    CO_TRY(const store::ScrubProgress at, co_await care.progress());
    json::object out;
    out["state"] = at.running ? "running" : at.ended == WallTime{} ? "never" : "done";
    out["bytes"] = at.bytes;
    out["total_bytes"] = at.total_bytes;
    out["rate_bytes"] = at.rate;
    out["started"] = time_text(at.started);
    out["ended"] = time_text(at.ended);
    out["damaged"] = at.damaged;
    co_return answer(200, out);
  }
  Answer scrub(http::Request& request) {
    CO_TRY(const std::string body, co_await read_all(*request.body, 4096));
    uint64_t rate = 0;
    if (!body.empty()) {
      boost::system::error_code error;
      const json::value value = json::parse(body, error);
      const json::object* object = error ? nullptr : value.if_object();
      const json::value* found = object != nullptr ? object->if_contains("rate_bytes") : nullptr;
      const int64_t* number = found != nullptr ? found->if_int64() : nullptr;
      if (number == nullptr || *number < 0 || object->size() != 1)
        co_return fail(Code::invalid_argument,
                       "the body is {\"rate_bytes\":N}, in bytes a second, 0 for no limit");
      rate = static_cast<uint64_t>(*number);
    }
    CO_TRY_VOID(co_await care.scrub_now(rate));
    CO_TRY(http::Response now, co_await progress(request));
    now.status = 202;
    co_return now;
  }
};

}  // namespace

void mount_care(http::Router& router, store::ContentCare& care, store::Database& database) {
  using http::Role;
  auto api = std::make_shared<Api>(Api{care, database});
  const auto add = [&](const char* method, const char* path, Role role,
                       Answer (Api::*work)(http::Request&)) {
    router.add(method, path, role,
               [api, work](http::Request& request) { return ((*api).*work)(request); });
  };
  add("GET", "/api/v1/storage/usage", Role::reader, &Api::usage);
  add("GET", "/api/v1/storage/check", Role::operator_, &Api::check);
  add("POST", "/api/v1/storage/repair", Role::admin, &Api::repair);
  add("GET", "/api/v1/storage/scrub", Role::reader, &Api::progress);
  add("POST", "/api/v1/storage/scrub", Role::operator_, &Api::scrub);
}

}  // namespace holdfast
