#include "cli/check.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <chrono>
#include <fstream>
#include <thread>

#include "base/files.h"
#include "cli/answer.h"
#include "cli/measure_child.h"
#include "supervisor/supervisor.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;

json::object row(std::string_view name, std::string_view state, std::string_view detail,
                 std::string_view remedy = "") {
  json::object out;
  out["check"] = name;
  out["state"] = state;
  out["detail"] = detail;
  out["remedy"] = remedy;
  return out;
}

json::object memory() {
  std::ifstream file("/proc/meminfo");
  std::string key, unit;
  uint64_t kib = 0, available = 0;
  while (file >> key >> kib >> unit) {
    if (key == "MemAvailable:") available = kib * 1024;
  }
  const bool enough = available > (512u << 20);
  return row("memory", enough ? "ok" : "warn", format_size(available) + " available",
             enough ? "" : "free some memory: 512 MiB should be available");
}

json::object disk(const std::string& data) {
  struct statvfs info{};
  std::string at = data;
  while (::statvfs(at.c_str(), &info) != 0 && at.find('/') != std::string::npos && at != "/")
    at = at.substr(0, std::max<size_t>(1, at.rfind('/')));
  const uint64_t left = static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
  const char* state = left > (5ull << 30) ? "ok" : left > (1ull << 30) ? "warn" : "fail";
  return row("disk space", state, format_size(left) + " free for " + data,
             left > (5ull << 30) ? "" : "free space, or choose another --data directory");
}

// Every acknowledged write waits for this.
json::object sync_time(const std::string& data) {
  const std::string folder = ::access(data.c_str(), W_OK) == 0 ? data : "/tmp";
  const std::string path = folder + "/.check-" + std::to_string(::getpid());
  auto fd = open_file(path, O_CREAT | O_RDWR);
  if (!fd) return row("disk sync", "fail", fd.error().message(), "make " + folder + " writable");
  std::vector<double> times;
  for (int i = 0; i < 9; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const bool good = write_all(fd->get(), as_bytes(std::string(4096, 'x'))).has_value() &&
                      ::fdatasync(fd->get()) == 0;
    if (!good) break;
    times.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
            .count());
  }
  ::unlink(path.c_str());
  if (times.size() < 9)
    return row("disk sync", "fail", "a write in " + folder + " failed", "look at the disk");
  std::sort(times.begin(), times.end());
  char text[80];
  std::snprintf(text, sizeof text, "%.2f ms for a durable 4-KiB write in %s", times[4],
                folder.c_str());
  return row("disk sync", times[4] < 20 ? "ok" : "warn", text,
             times[4] < 20 ? "" : "a faster disk makes every upload and answer faster");
}

json::object open_files() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const bool enough = limit.rlim_max >= 65536;
  return row("open files", enough ? "ok" : "warn", std::to_string(limit.rlim_max) + " a process",
             enough ? "" : "raise it: ulimit -Hn 65536, or LimitNOFILE= in the unit");
}

json::object watches() {
  const auto text = read_file("/proc/sys/fs/inotify/max_user_watches", 64).value_or("0");
  const uint64_t count = parse_u64(std::string_view(text).substr(0, text.find('\n'))).value_or(0);
  const bool enough = count >= 8192;
  return row("file watches", enough ? "ok" : "warn",
             std::to_string(count) + " directories can be watched",
             enough ? "" : "sysctl fs.inotify.max_user_watches=524288");
}

json::object clock(Context& context) {
  const bool right = format_rfc3339(context.clock().now(), 0) >= "2026-01-01";
  return row("clock", right ? "ok" : "fail", format_rfc3339(context.clock().now(), 0),
             right ? "" : "set the time: signatures are refused 15 minutes off");
}

json::object processor() {
  std::ifstream file("/proc/cpuinfo");
  std::string line, flags;
  while (flags.empty() && std::getline(file, line)) {
    if (line.starts_with("flags") || line.starts_with("Features")) flags = line + " ";
  }
  std::string found;
  for (const char* flag : {"avx2", "avx512f", "avx512_vnni", "avx_vnni", "asimd"}) {
    if (flags.find(std::string(" ") + flag + " ") != std::string::npos)
      found += (found.empty() ? "" : " ") + std::string(flag);
  }
  return row("processor", found.empty() ? "warn" : "ok",
             std::to_string(std::thread::hardware_concurrency()) + " threads; " +
                 (found.empty() ? "no vector units found" : found),
             found.empty() ? "inference will be slow on this processor" : "");
}

json::object programs() {
  for (const char* name : {"holdfast-hub", "holdfast-edge", "holdfast-serve"}) {
    if (!supervisor::program_beside(name))
      return row("programs", "fail", std::string(name) + " is not beside holdfast",
                 "build or install all programs into one folder");
  }
  return row("programs", "ok", "hub, edge and serve are beside holdfast");
}

// One row an accelerator and way to use it; one that says so where there is none.
json::array accelerators() {
  json::array rows;
  const auto asked = run_measure({"devices"}, [](double, const std::string&) {});
  if (!asked) {
    rows.push_back(row("accelerator", "warn", asked.error().message()));
    return rows;
  }
  for (const json::value& found : asked->result.at("devices").as_array()) {
    const auto text = [&found](const char* key) { return std::string(found.at(key).as_string()); };
    const std::string what = text("accelerator") + " by " + text("engine") + " " + text("device");
    if (const std::string why_not = text("why_not"); !why_not.empty())
      rows.push_back(row("accelerator", "warn", what + ": not used", why_not));
    else
      rows.push_back(row("accelerator", "ok",
                         what + ": a candidate of 'holdfast model tune'; untested by its makers"));
  }
  if (rows.empty())
    rows.push_back(row("accelerator", "ok", "none found; models run on the processor"));
  return rows;
}

json::object data_directory(const std::string& data) {
  if (::access(data.c_str(), F_OK) != 0)
    return row("data", "ok", data + " is not there yet; 'holdfast up' makes it");
  const bool writable = ::access(data.c_str(), W_OK) == 0;
  return row("data", writable ? "ok" : "fail", data,
             writable ? "" : "make it writable, or choose another --data directory");
}

Task<json::object> daemon(Context& context, std::string name, Result<std::string> url) {
  if (!url)
    co_return row(name, "warn", "not running",
                  "start it: holdfast up --data " + context.globals().data);
  auto answer = co_await context.call("GET", *url + "/healthz");
  if (answer) co_return row(name, "ok", *url);
  co_return row(name, "fail", answer.error().message(),
                "look at " + context.globals().data + "/log/" + name + ".log");
}

Result<size_t> damaged_places(const json::value& overview) {
  TRY(const json::array sections, list_of(overview, "sections"));
  for (const json::value& section : sections) {
    TRY(const std::string name, text_of(section, "name"));
    TRY(const json::array rows, list_of(section, "rows"));
    if (name == "damage") return rows.size();
  }
  return fail(Code::not_found, "the hub does not tell of damage");
}

Task<json::object> stored_data(Context& context, std::string hub) {
  auto all = co_await context.call("GET", hub + "/api/v1/overview", context.token().value_or(""));
  const Result<size_t> told = all ? damaged_places(*all) : std::unexpected(all.error());
  if (!told)
    co_return row("stored data", "warn", told.error().message(),
                  "ask with a token of the hub: --token-file");
  const size_t places = *told;
  if (places == 0) co_return row("stored data", "ok", "no stored byte was found damaged");
  co_return row("stored data", "fail", std::to_string(places) + " damaged places; never served",
                "holdfast storage check; put these blobs again, then holdfast storage repair");
}

}  // namespace

Task<Result<json::array>> run_checks(Context& context) {
  const std::string& data = context.globals().data;
  json::array rows;
  for (json::object& probe :
       std::vector<json::object>{processor(), memory(), disk(data), sync_time(data), open_files(),
                                 watches(), clock(context), programs(), data_directory(data)}) {
    rows.push_back(std::move(probe));
  }
  for (json::value& found : accelerators()) rows.push_back(std::move(found));
  rows.push_back(co_await daemon(context, "hub", context.hub()));
  if (auto hub = context.hub()) rows.push_back(co_await stored_data(context, std::move(*hub)));
  rows.push_back(co_await daemon(context, "edge", context.edge()));
  rows.push_back(co_await daemon(context, "serve", context.serve()));
  co_return rows;
}

}  // namespace holdfast::cli
