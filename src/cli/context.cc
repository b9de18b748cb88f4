#include "cli/context.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/json/parse.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/files.h"
#include "cli/answer.h"

namespace holdfast::cli {
namespace {

namespace json = boost::json;

Code code_of(unsigned status) {
  switch (status) {
    case 400:
      return Code::invalid_argument;
    case 401:
      return Code::unauthenticated;
    case 403:
      return Code::denied;
    case 404:
      return Code::not_found;
    case 409:
      return Code::conflict;
    case 412:
      return Code::precondition_failed;
    case 413:
      return Code::too_large;
    case 501:
      return Code::unsupported;
    default:
      return status >= 502 ? Code::unavailable : Code::internal;
  }
}

// {"error":{"message":…}} of our API, {"error":"…"} of the inference protocol, {"Message":"…"} of
// the device hub and {"errors":[{"message":…}]} of the registry.
std::string message_in(const std::string& body, unsigned status) {
  boost::system::error_code error;
  const json::value value = json::parse(body, error);
  const json::value* found = nullptr;
  for (const char* name : {"error", "Message", "errors"}) {
    if (!error && value.is_object() && found == nullptr)
      found = value.as_object().if_contains(name);
  }
  if (found != nullptr && found->is_array() && !found->as_array().empty())
    found = &found->as_array().front();
  if (found != nullptr && found->is_object()) found = found->as_object().if_contains("message");
  if (found != nullptr && found->is_string()) return std::string(found->as_string());
  return "the server answered with status " + std::to_string(status);
}

std::string first_line(std::string_view text) {
  return std::string(trim(text.substr(0, text.find('\n'))));
}

}  // namespace

int exit_code_of(const Error& error) {
  switch (error.code()) {
    case Code::invalid_argument:
    case Code::unsupported:
      return error.reason() == "usage" ? kUsage : kFailed;
    case Code::not_found:
      return kNotFound;
    case Code::unauthenticated:
    case Code::denied:
      return kDenied;
    case Code::conflict:
    case Code::precondition_failed:
      return kConflict;
    case Code::unavailable:
    case Code::timed_out:
      return kUnreachable;
    default:
      return kFailed;
  }
}

std::string default_data() {
  if (const char* data = std::getenv("HOLDFAST_DATA")) return data;
  if (::geteuid() == 0) return "/var/lib/holdfast";
  const char* home = std::getenv("HOME");
  return std::string(home != nullptr ? home : ".") + "/.local/share/holdfast";
}

Result<std::shared_ptr<TlsContext>> client_tls(const Globals& globals) {
  if (globals.ca.empty() && globals.certificate.empty() && globals.key.empty()) return nullptr;
  if (globals.certificate.empty() != globals.key.empty())
    return fail(Code::invalid_argument, "usage",
                "--client-certificate and --client-key come together");
  std::string ca, certificate, key;
  for (const auto& [file, into] :
       {std::pair(&globals.ca, &ca), {&globals.certificate, &certificate}, {&globals.key, &key}}) {
    if (file->empty()) continue;
    TRY(*into, read_file(*file, 1 << 20));
  }
  auto made = TlsContext::client(ca, certificate, key);
  if (!made)
    return std::unexpected(std::move(made).error().with_context("--ca or --client-certificate"));
  return made;
}

Context::Context(const Globals& globals, std::shared_ptr<TlsContext> tls)
    : globals_(globals), http_({.tls = std::move(tls)}) {}

Form Context::form() const {
  if (globals_.output.empty()) return ::isatty(STDOUT_FILENO) == 1 ? Form::table : Form::json;
  return parse_form(globals_.output).value_or(Form::json);
}

Result<std::string> Context::from_run(const std::string& file, const std::string& field) const {
  const std::string path = globals_.data + "/" + file;
  auto text = read_file(path, 64 << 10);
  if (!text)
    return fail(Code::unavailable, "not_up",
                "nothing runs with the data in " + globals_.data +
                    "; start it with 'holdfast up --data " + globals_.data +
                    "' or say where with --hub, --edge or --serve");
  boost::system::error_code error;
  const json::value value = json::parse(*text, error);
  const json::value* found =
      !error && value.is_object() ? value.as_object().if_contains(field) : nullptr;
  if (found == nullptr || !found->is_string())
    return fail(Code::internal, path + " is not a run file");
  return "http://" + std::string(found->as_string());
}

Result<std::string> Context::hub() const {
  return globals_.hub.empty() ? from_run("hub/run.json", "http")
                              : Result<std::string>(globals_.hub);
}
Result<std::string> Context::edge() const {
  return globals_.edge.empty() ? from_run("edge/run.json", "http")
                               : Result<std::string>(globals_.edge);
}
Result<std::string> Context::serve() const {
  return globals_.serve.empty() ? from_run("edge/run.json", "serve")
                                : Result<std::string>(globals_.serve);
}

Result<std::string> Context::token() const {
  const std::string path =
      globals_.token_file.empty() ? globals_.data + "/hub/token" : globals_.token_file;
  auto text = read_file(path, 8192);
  if (!text)
    return fail(Code::denied, "there is no token in " + path +
                                  "; name its file with --token-file or HOLDFAST_TOKEN_FILE");
  return first_line(*text);
}

Result<std::string> Context::serve_token() const {
  if (globals_.serve_token_file.empty()) return std::string();
  TRY(const std::string text, read_file(globals_.serve_token_file, 8192));
  return first_line(text);
}

Task<Result<json::value>> Context::call(std::string method, std::string url, std::string token,
                                        std::string body) {
  http::ClientRequest request(std::move(method), url);
  request.timeout = std::chrono::seconds(globals_.timeout);
  if (!token.empty()) request.headers.set("Authorization", "Bearer " + token);
  if (!body.empty()) request.headers.set("Content-Type", "application/json");
  request.body = std::move(body);
  CO_TRY(const auto answer, co_await http_.fetch(std::move(request)));
  if (answer.status >= 400)
    co_return fail(code_of(answer.status), message_in(answer.body, answer.status));
  if (answer.body.empty()) co_return json::value();
  boost::system::error_code error;
  json::value value = json::parse(answer.body, error);
  if (error) co_return fail(Code::internal, url + " did not answer with JSON");
  co_return value;
}

Task<Result<json::value>> Context::serve_call(std::string method, std::string path,
                                              std::string body) {
  CO_TRY(const std::string url, serve());
  CO_TRY(const std::string bearer, serve_token());
  co_return co_await call(std::move(method), url + path, bearer, std::move(body));
}

Task<Result<json::value>> Context::hub_call(std::string method, std::string path,
                                            std::string body) {
  CO_TRY(const std::string url, hub());
  CO_TRY(const std::string bearer, token());
  co_return co_await call(std::move(method), url + path, bearer, std::move(body));
}

Task<Result<std::string>> Context::account_key(std::string account) {
  CO_TRY(const std::string hub_url, hub());
  CO_TRY(const std::string bearer, token());
  CO_TRY(const json::value keys,
         co_await call("GET",
                       hub_url + "/api/v1/storage/accounts/" + percent_encode(account) + "/keys",
                       bearer));
  CO_TRY(const json::array list, list_of(keys, "keys"));
  co_return text_of(list.empty() ? json::value() : list[0], "value");
}

Task<Result<std::string>> Context::blob_url() {
  if (!globals_.blob.empty()) co_return globals_.blob;
  CO_TRY(const std::string hub_url, hub());
  CO_TRY(const std::string bearer, token());
  CO_TRY(const json::value status, co_await call("GET", hub_url + "/api/v1/status", bearer));
  co_return text_of(status, "blob");
}

Task<Result<blob_client::BlobClient>> Context::blobs(std::string account) {
  CO_TRY(const std::string url, co_await blob_url());
  CO_TRY(std::string key, co_await account_key(account));
  blob_client::Endpoint endpoint;
  endpoint.url = url + "/" + account;
  endpoint.account = account;
  endpoint.key = std::move(key);
  co_return blob_client::BlobClient::open(http_, clock_, std::move(endpoint), blob_options());
}

blob_client::Options Context::blob_options() const {
  blob_client::Options options;
  options.timeout = std::chrono::seconds(std::max(globals_.timeout, 30u));
  options.retries = 2;
  return options;
}

void Context::print(const json::value& value, const std::vector<Column>& columns) const {
  const std::string text = render(form(), value, columns);
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void Context::note(const std::string& text) const {
  if (!globals_.quiet) std::fprintf(stderr, "%s\n", printable(text).c_str());
}

Result<void> Context::confirm(const std::string& what) const {
  if (globals_.yes) return {};
  if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDERR_FILENO) != 1)
    return fail(Code::invalid_argument, "usage",
                "to " + what + " without a terminal to ask on, add --yes");
  std::fprintf(stderr, "holdfast: %s? [y/N] ", printable(what).c_str());
  char line[16] = "";
  if (std::fgets(line, sizeof line, stdin) == nullptr) std::fputc('\n', stderr);
  const std::string_view answer = trim(std::string_view(line).substr(0, std::strcspn(line, "\n")));
  if (answer == "y" || answer == "Y" || answer == "yes") return {};
  return fail(Code::cancelled, "nothing was done");
}

CLI::App* add_verb(CLI::App& noun, Chosen& chosen, const std::string& name, const std::string& help,
                   const std::string& examples, Verb verb) {
  CLI::App* sub = noun.add_subcommand(name, help);
  sub->footer("Examples:\n" + examples);
  sub->callback([&chosen, verb = std::move(verb)] { chosen.verb = verb; });
  return sub;
}

}  // namespace holdfast::cli
