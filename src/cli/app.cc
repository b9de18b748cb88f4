#include "cli/app.h"

#include <unistd.h>

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "base/yaml.h"
#include "cli/completion.h"
#include "cli/context.h"
#include "cli/up.h"
#include "net/runtime.h"
#include "supervisor/supervisor.h"
#include "version.h"

namespace holdfast::cli {
namespace {

constexpr const char* kMap = R"(holdfast: edge machine learning on your own hardware

  the whole   up  down  status  check  trust  completion
  daemons     hub  edge  serve
  hub         storage account|container|blob|sas|copy|sync  data  registry
  learning    job  trigger  model versions|show
  devices     device  module  twin  method  deployment
  edge        share  uplink  transform
  inference   model

Start:        holdfast up
Help:         holdfast NOUN --help    each verb's help ends with examples
)";

// The daemons are programs of their own; this process becomes them.
int become(const std::string& name, char** argv) {
  auto path = supervisor::program_beside("holdfast-" + name);
  if (!path) {
    std::fprintf(stderr, "holdfast %s: %s\n", name.c_str(), path.error().message().c_str());
    return kFailed;
  }
  ::execv(path->c_str(), argv);
  std::perror(path->c_str());
  return kFailed;
}

void add_globals(CLI::App& app, Globals& globals) {
  app.add_option("--data", globals.data, "Data directory of 'holdfast up'")
      ->envname("HOLDFAST_DATA");
  app.add_option("-o,--output", globals.output,
                 "table (on a terminal), json (otherwise), yaml, tsv or none")
      ->check(CLI::IsMember({"table", "json", "yaml", "tsv", "none"}));
  app.add_option("--hub", globals.hub, "The hub's URL")->envname("HOLDFAST_HUB");
  app.add_option("--blob", globals.blob,
                 "Blob storage's URL, where the hub's own does not lead to it")
      ->envname("HOLDFAST_BLOB");
  app.add_option("--edge", globals.edge, "The edge's URL")->envname("HOLDFAST_EDGE");
  app.add_option("--serve", globals.serve, "The inference server's URL")->envname("HOLDFAST_SERVE");
  app.add_option("--token-file", globals.token_file, "File with the hub's token")
      ->envname("HOLDFAST_TOKEN_FILE");
  app.add_option("--serve-token-file", globals.serve_token_file,
                 "File with the inference server's token")
      ->envname("HOLDFAST_SERVE_TOKEN_FILE");
  app.add_option("--ca", globals.ca, "File of the authorities to trust over TLS, else the system's")
      ->envname("HOLDFAST_CA");
  app.add_option("--client-certificate", globals.certificate,
                 "File of the certificate to show to servers that ask for one")
      ->envname("HOLDFAST_CLIENT_CERTIFICATE");
  app.add_option("--client-key", globals.key, "File of its key")->envname("HOLDFAST_CLIENT_KEY");
  app.add_option("--timeout", globals.timeout, "Seconds to wait for an answer")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  app.add_flag("-y,--yes", globals.yes, "Does not ask before it deletes");
  app.add_flag_callback(
      "--no-color", [] { ::setenv("NO_COLOR", "1", 1); },
      "Plain output; so do NO_COLOR and TERM=dumb");
  app.add_flag("-q,--quiet", globals.quiet, "No messages and no progress");
  app.add_flag("--verbose", globals.verbose, "Details of errors");
}

std::vector<std::string> names_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(sub->get_name());
  return names;
}

// The deepest noun that the words reach, and the first word behind it that is no flag.
std::string suggestion(CLI::App& app, int argc, char** argv) {
  const CLI::App* at = &app;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word.starts_with('-')) return "";
    const auto names = names_of(*at);
    if (std::find(names.begin(), names.end(), word) == names.end()) {
      if (names.empty()) return "";
      const std::string guess = nearest(word, names);
      std::string all;
      for (const auto& name : names) all += (all.empty() ? "" : " ") + name;
      return "'" + word + "' is not known" +
             (guess.empty() ? "; there are: " + all : "; did you mean '" + guess + "'?");
    }
    at = at->get_subcommand(word);
  }
  return "";
}

// What to do about a server that does not answer.
const char* next_step(const Error& error) {
  if (error.reason() == "not_up") return "";
  if (error.code() == Code::unavailable)
    return "; 'holdfast check' tells what runs, 'holdfast up' starts it";
  if (error.code() == Code::timed_out) return "; try a longer --timeout, or see 'holdfast check'";
  return "";
}

Task<Result<int>> perform(const Globals& globals, const Verb& verb) {
  CO_TRY(auto tls, client_tls(globals));
  // The context lives inside the task: its pooled connections belong to the task's executor.
  Context context(globals, std::move(tls));
  co_return co_await verb(context);
}

Task<int> run_verb(const Globals& globals, Verb verb) {
  auto done = co_await perform(globals, verb);
  if (done) co_return *done;
  std::fprintf(stderr, "holdfast: %s%s\n", printable(done.error().message()).c_str(),
               next_step(done.error()));
  if (globals.verbose)
    std::fprintf(stderr, "  code: %s %s\n", std::string(to_string(done.error().code())).c_str(),
                 std::string(done.error().reason()).c_str());
  co_return exit_code_of(done.error());
}

}  // namespace

int run(int argc, char** argv) {
  std::signal(SIGINT, SIG_DFL);
  if (argc > 1) {
    for (const char* daemon : {"hub", "edge", "serve"}) {
      if (argv[1] == std::string(daemon)) return become(daemon, argv + 1);
    }
  }
  if (argc == 1) {
    std::fputs(kMap, stdout);
    return kDone;
  }
  Globals globals;
  globals.data = default_data();
  CLI::App app("Edge machine learning on your own hardware", "holdfast");
  app.set_version_flag("--version", std::string("holdfast ") + kVersion);
  app.require_subcommand(1)->fallthrough();
  add_globals(app, globals);
  Chosen chosen;
  UpOptions up_options;
  bool up = false, down = false;
  CLI::App* up_verb = app.add_subcommand("up", "Starts hub and edge together on this machine");
  up_verb->footer(
      "Examples:\n  holdfast up\n  holdfast up --data ~/press --hub-http 127.0.0.1:0 --detach");
  up_verb
      ->add_option("--hub-http", up_options.hub_http, "The hub's address; port 0 takes a free one")
      ->capture_default_str();
  up_verb->add_option("--hub-blob", up_options.hub_blob, "Blob storage's address")
      ->capture_default_str();
  up_verb->add_option("--hub-https", up_options.hub_https, "The hub's address with TLS")
      ->capture_default_str();
  up_verb->add_option("--hub-mqtt", up_options.hub_mqtt, "The device hub's address (MQTT over TLS)")
      ->capture_default_str();
  up_verb->add_option("--edge-http", up_options.edge_http, "The edge's address")
      ->capture_default_str();
  up_verb
      ->add_option("--edge-mqtt", up_options.edge_mqtt,
                   "The edge's broker of modules (MQTT over TLS)")
      ->capture_default_str();
  up_verb->add_option("--serve-http", up_options.serve_http, "The inference server's address")
      ->capture_default_str();
  up_verb->add_flag("--detach", up_options.detach,
                    "Returns when all is ready and leaves it running");
  up_verb->callback([&] { up = true; });
  CLI::App* down_verb = app.add_subcommand("down", "Stops what 'holdfast up' started");
  down_verb->footer("Examples:\n  holdfast down\n  holdfast down --data ~/press");
  down_verb->callback([&] { down = true; });
  add_whole(app, chosen);
  add_storage(app, chosen);
  add_share(app, chosen);
  add_model(app, chosen);
  add_device(app, chosen);
  add_deployment(app, chosen);
  add_data(app, chosen);
  add_job(app, chosen);
  std::string shell;
  CLI::App* completion =
      app.add_subcommand("completion", "Prints the completion script for a shell");
  completion->footer(
      "Examples:\n  source <(holdfast completion bash)\n  holdfast completion fish > "
      "~/.config/fish/completions/holdfast.fish");
  completion->add_option("SHELL", shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));

  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& e) {
    return app.exit(e);
  } catch (const CLI::ParseError& e) {
    const std::string guess = suggestion(app, argc, argv);
    std::fprintf(stderr, "holdfast: %s\nSee 'holdfast --help'.\n",
                 (guess.empty() ? e.what() : guess.c_str()));
    return kUsage;
  }
  if (!globals.data.empty())
    globals.data = std::filesystem::absolute(globals.data).lexically_normal();
  if (!shell.empty()) {
    std::fputs(completion_script(app, shell).c_str(), stdout);
    return kDone;
  }
  if (up) return run_up(globals, up_options);
  if (down) {
    const auto done = run_down(globals);
    if (!done) std::fprintf(stderr, "holdfast down: %s\n", done.error().message().c_str());
    return done ? kDone : exit_code_of(done.error());
  }
  return run_task(run_verb(globals, chosen.verb));
}

}  // namespace holdfast::cli
