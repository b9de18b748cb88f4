// What every verb gets: the global flags, and where hub, edge and serve are.
#pragma once

#include <boost/json/value.hpp>

#include <functional>
#include <string>
#include <vector>

#include "blob_client/blob_client.h"
#include "cli/output.h"
#include "net/http/client.h"

namespace CLI {
class App;
}

namespace holdfast::cli {

// Documented exit codes (docs/cli.md).
enum Exit {
  kDone = 0,
  kFailed = 1,
  kUsage = 2,
  kNotFound = 3,
  kDenied = 4,
  kConflict = 5,
  kUnreachable = 6,
  kPartly = 7
};
int exit_code_of(const Error& error);

struct Globals {
  std::string data;  // of `holdfast up`
  std::string output, hub, blob, edge, serve, token_file;
  // Files; the first three of TLS to any server.
  std::string ca, certificate, key, serve_token_file;
  bool yes = false, quiet = false, verbose = false;
  unsigned timeout = 30;  // seconds a call
};

// The default data directory: $HOLDFAST_DATA, /var/lib/holdfast for root, else
// ~/.local/share/holdfast.
std::string default_data();

// Null where the globals name no file. not_found, invalid_argument: a file.
Result<std::shared_ptr<TlsContext>> client_tls(const Globals& globals);

class Context {
 public:
  // `tls`: of the globals, from client_tls().
  Context(const Globals& globals, std::shared_ptr<TlsContext> tls);

  Form form() const;  // a wrong --output was refused before
  const Globals& globals() const { return globals_; }
  // Base URLs; unavailable (reason "not_up") with the next step where nothing says where they are.
  Result<std::string> hub() const;
  Result<std::string> edge() const;
  Result<std::string> serve() const;
  Result<std::string> token() const;
  // The inference server's; empty where no file is named: it may ask for none.
  Result<std::string> serve_token() const;

  // One JSON call; an answer of 400 or more is the server's error as ours.
  Task<Result<boost::json::value>> call(std::string method, std::string url, std::string token = "",
                                        std::string body = "");
  // The same at the hub, with the token.
  Task<Result<boost::json::value>> hub_call(std::string method, std::string path,
                                            std::string body = "");
  // The same at the inference server, with its token.
  Task<Result<boost::json::value>> serve_call(std::string method, std::string path,
                                              std::string body = "");
  // A client of the account, with a key that the hub's API gives.
  Task<Result<blob_client::BlobClient>> blobs(std::string account);
  Task<Result<std::string>> account_key(std::string account);
  Task<Result<std::string>> blob_url();  // as --blob says, else as the hub does
  blob_client::Options blob_options() const;

  http::Client& http() { return http_; }
  const Clock& clock() const { return clock_; }
  void print(const boost::json::value& value, const std::vector<Column>& columns) const;
  void note(const std::string& text) const;  // to stderr, unless --quiet
  // Asks on a terminal whether `what` ("delete …") shall be done. Without a terminal --yes is
  // needed: invalid_argument of reason "usage". cancelled where the answer is no.
  Result<void> confirm(const std::string& what) const;

 private:
  Result<std::string> from_run(const std::string& file, const std::string& field) const;
  const Globals& globals_;
  SystemClock clock_;
  http::Client http_;
};

// A verb's work. It runs inside one task; what it returns ends the program.
using Verb = std::function<Task<Result<int>>(Context&)>;

// Sets `verb` when the subcommand was chosen.
struct Chosen {
  Verb verb;
};
// Adds a verb: its help, two examples, and what it does.
CLI::App* add_verb(CLI::App& noun, Chosen& chosen, const std::string& name, const std::string& help,
                   const std::string& examples, Verb verb);

// Each noun adds its verbs.
void add_storage(CLI::App& app, Chosen& chosen);
void add_storage_care(CLI::App& storage, Chosen& chosen);
void add_blob(CLI::App& storage, Chosen& chosen);
void add_transfer(CLI::App& storage, Chosen& chosen);
void add_share(CLI::App& app, Chosen& chosen);
void add_model(CLI::App& app, Chosen& chosen);
void add_canary(CLI::App& model, Chosen& chosen);
void add_device(CLI::App& app, Chosen& chosen);  // device module twin method
void add_deployment(CLI::App& app, Chosen& chosen);
void add_data(CLI::App& app, Chosen& chosen);   // data registry
void add_job(CLI::App& app, Chosen& chosen);    // job trigger
void add_whole(CLI::App& app, Chosen& chosen);  // status check trust

}  // namespace holdfast::cli
