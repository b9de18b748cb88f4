#include "cli/measure_child.h"

#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <boost/json/value_to.hpp>
#include <cstdio>
#include <memory>

#include "base/files.h"
#include "cli/context.h"
#include "supervisor/supervisor.h"

extern char** environ;

namespace holdfast::cli {
namespace {

namespace json = boost::json;

// Its complaint, for a message of one line.
std::string said(int fd) {
  std::string text(4096, '\0');
  const ssize_t size = ::pread(fd, text.data(), text.size(), 0);
  text.resize(size > 0 ? static_cast<size_t>(size) : 0);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.substr(text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1);
}

struct Child {
  pid_t pid = 0;
  Fd out, complaint;
};

Result<Child> start(std::vector<std::string> words) {
  TRY(const std::string program, supervisor::program_beside("holdfast-serve"));
  words.insert(words.begin(), {program, "measure"});
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return std::unexpected(errno_error(errno, "pipe"));
  Child child;
  child.out = Fd(ends[0]);
  const Fd in(ends[1]);
  child.complaint = Fd(::memfd_create("complaint", MFD_CLOEXEC));
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_adddup2(&files, in.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&files, child.complaint.get(), STDERR_FILENO);
  const int failed =
      ::posix_spawn(&child.pid, program.c_str(), &files, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&files);
  if (failed != 0) return std::unexpected(errno_error(failed, program));
  return child;
}

}  // namespace

Result<Measured> run_measure(std::vector<std::string> words,
                             const std::function<void(double, const std::string&)>& progress) {
  TRY(Child child, start(std::move(words)));
  Measured out;
  bool has_result = false;
  {
    const std::unique_ptr<FILE, int (*)(FILE*)> lines(::fdopen(::dup(child.out.get()), "r"),
                                                      ::fclose);
    char* line = nullptr;
    size_t room = 0;
    while (lines && ::getline(&line, &room, lines.get()) > 0) {
      boost::system::error_code error;
      json::value value = json::parse(line, error);
      if (error || !value.is_object()) continue;  // a library's own words
      if (json::value* result = value.as_object().if_contains("result")) {
        out.result = std::move(result->as_object());
        has_result = true;
      } else if (const json::value* done = value.as_object().if_contains("progress")) {
        progress(json::value_to<double>(*done), json::value_to<std::string>(value.at("what")));
      }
    }
    ::free(line);  // NOLINT(cppcoreguidelines-no-malloc): getline's
  }
  int status = 0;
  ::waitpid(child.pid, &status, 0);
  const std::string complaint = said(child.complaint.get());
  if (WIFSIGNALED(status))
    return fail(Code::internal, "the process that loaded the model was ended by signal " +
                                    std::to_string(WTERMSIG(status)) +
                                    (complaint.empty() ? "" : ": " + complaint));
  out.status = WEXITSTATUS(status);
  if (has_result) return out;
  const std::string why =
      complaint.empty() ? "exit status " + std::to_string(out.status) : complaint;
  if (out.status == 2) return fail(Code::invalid_argument, "usage", why);
  return fail(out.status == 3 ? Code::not_found : Code::internal, why);
}

}  // namespace holdfast::cli
