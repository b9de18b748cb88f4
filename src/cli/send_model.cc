#include "cli/send_model.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include <algorithm>

#include "base/files.h"
#include "cli/answer.h"
#include "cli/context.h"

namespace holdfast::cli {

namespace json = boost::json;

Task<Result<json::value>> send_model(Context& context, std::string name, std::string file,
                                     std::string version, bool stage) {
  CO_TRY(const std::string serve, context.serve());
  if (version.empty()) {
    CO_TRY(const json::value answer, co_await context.serve_call("GET", "/api/v1/models"));
    CO_TRY(const json::array known, list_of(answer, "models"));
    uint64_t next = 1;
    for (const json::value& row : known) {
      if (cell(row, "name", false) == name)
        next = std::max(next, parse_u64(cell(row, "version", false)).value_or(0) + 1);
    }
    version = std::to_string(next);
  }
  CO_TRY(Fd fd, open_file(file, O_RDONLY));
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode))
    co_return fail(Code::invalid_argument, file + " is not a file");
  http::ClientRequest request("PUT", serve + "/api/v1/models/" + percent_encode(name) +
                                         "/versions/" + percent_encode(version) +
                                         (stage ? "?stage=true" : ""));
  CO_TRY(const std::string token, context.serve_token());
  if (!token.empty()) request.headers.set("Authorization", "Bearer " + token);
  request.timeout = std::chrono::seconds(std::max(context.globals().timeout, 300u));
  request.file =
      http::FileRange{std::make_shared<Fd>(std::move(fd)), 0, static_cast<uint64_t>(info.st_size)};
  CO_TRY(const auto answer, co_await context.http().fetch(std::move(request)));
  boost::system::error_code error;
  json::value value = json::parse(answer.body, error);
  if (answer.status >= 400) {
    const json::value* why =
        !error && value.is_object() ? value.as_object().if_contains("error") : nullptr;
    const std::string text = why != nullptr && why->is_string()
                                 ? std::string(why->as_string())
                                 : "status " + std::to_string(answer.status);
    co_return fail(answer.status == 409   ? Code::conflict
                   : answer.status == 401 ? Code::unauthenticated
                   : answer.status == 403 ? Code::denied
                                          : Code::invalid_argument,
                   text);
  }
  if (error) co_return fail(Code::internal, "the server did not answer with JSON");
  co_return value;
}

}  // namespace holdfast::cli
