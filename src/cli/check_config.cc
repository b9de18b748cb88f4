// `holdfast check --config FILE`: the daemon itself reads the file, so that both always agree.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json/object.hpp>

#include "base/files.h"
#include "base/yaml.h"
#include "cli/check.h"
#include "supervisor/supervisor.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;

constexpr size_t kMostSaid = 64 << 10;

// What the program says on standard error until it ends, and its exit code.
Result<std::pair<int, std::string>> ask(const std::string& program, const std::string& file) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return std::unexpected(errno_error(errno, "pipe"));
  const Fd from(ends[0]);
  Fd into(ends[1]);
  const char* arguments[] = {program.c_str(), "--check", "--config", file.c_str(), nullptr};
  const pid_t child = ::fork();
  if (child < 0) return std::unexpected(errno_error(errno, "start " + program));
  if (child == 0) {
    const int null = ::open("/dev/null", O_RDWR);
    ::dup2(null, STDIN_FILENO);
    ::dup2(null, STDOUT_FILENO);
    ::dup2(into.get(), STDERR_FILENO);
    ::execv(program.c_str(), const_cast<char* const*>(arguments));
    ::_exit(127);
  }
  into = Fd();
  std::string said;
  char piece[4096];
  for (ssize_t n = 0; (n = ::read(from.get(), piece, sizeof piece)) > 0;) {
    if (said.size() < kMostSaid) said.append(piece, static_cast<size_t>(n));
  }
  int status = 0;
  if (::waitpid(child, &status, 0) != child) return std::unexpected(errno_error(errno, "wait"));
  while (said.ends_with('\n')) said.pop_back();
  return std::pair(WIFEXITED(status) ? WEXITSTATUS(status) : -1, said);
}

}  // namespace

Result<std::string> daemon_of(const std::string& text, const std::string& source) {
  TRY(YamlMap map, YamlMap::parse(text, source));
  static constexpr std::pair<const char*, const char*> kTells[] = {
      {"device", "edge"},   {"shares", "edge"},
      {"accounts", "edge"}, {"transforms", "edge"},
      {"answers", "edge"},  {"serve", "edge"},
      {"models", "serve"},  {"threads", "serve"},
      {"uploads", "serve"}, {"plain_http_beyond_loopback", "serve"},
      {"capture", "serve"}, {"drift", "serve"},
      {"traces", "serve"},  {"domain", "hub"},
      {"database", "hub"},  {"objects", "hub"}};
  for (const auto& [key, daemon] : kTells) {
    if (map.has(key)) return std::string(daemon);
  }
  if (map.has("listen")) {
    TRY(const YamlMap listen, map.map("listen"));
    if (listen.has("blob")) return std::string("hub");
  }
  return fail(Code::invalid_argument, "usage",
              source +
                  ": its keys do not tell which daemon reads it; add --daemon hub, edge or "
                  "serve");
}

Result<json::array> check_config(const std::string& file, std::string daemon) {
  json::object row;
  row["check"] = "configuration";
  row["state"] = "ok";
  row["detail"] = "";
  row["remedy"] = "";
  TRY(const std::string text, read_file(file, 1 << 20));
  if (daemon.empty()) {
    auto found = daemon_of(text, file);
    if (!found && found.error().reason() == "usage") return std::unexpected(found.error());
    if (!found) {
      row["state"] = "fail";
      row["detail"] = found.error().message();
      return json::array({row});
    }
    daemon = *found;
  }
  TRY(const std::string program, supervisor::program_beside("holdfast-" + daemon));
  TRY(const auto answer, ask(program, file));
  const auto& [code, said] = answer;
  row["state"] = code == 0 ? "ok" : "fail";
  row["detail"] = code == 0 ? file + ": a configuration of the " + daemon : said;
  if (code != 0) row["remedy"] = "correct the file at that place";
  return json::array({row});
}

}  // namespace holdfast::cli
