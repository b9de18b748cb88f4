#include "cli/completion.h"

#include <CLI/CLI.hpp>

#include <map>

namespace holdfast::cli {
namespace {

const auto kAll = [](const CLI::App*) { return true; };

// "storage blob" → the words that may follow: verbs and flags.
void collect(const CLI::App& app, const std::string& path,
             std::map<std::string, std::string>& words) {
  std::string& here = words[path];
  for (const CLI::App* sub : app.get_subcommands(kAll)) here += sub->get_name() + " ";
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) here += "--" + name + " ";
  }
  for (const CLI::App* sub : app.get_subcommands(kAll))
    collect(*sub, path.empty() ? sub->get_name() : path + " " + sub->get_name(), words);
}

std::string bash(const std::map<std::string, std::string>& words) {
  std::string out =
      "_holdfast() {\n  local path=\"\" word i\n  for ((i = 1; i < COMP_CWORD; i++)); do\n    "
      "word=${COMP_WORDS[i]}\n    [[ $word == -* ]] && continue\n"
      "    case \"${path:+$path }$word\" in\n";
  for (const auto& [path, follow] : words) {
    if (!path.empty()) out += "      '" + path + "') path='" + path + "' ;;\n";
  }
  out += "    esac\n  done\n  local words\n  case \"$path\" in\n";
  for (const auto& [path, follow] : words) out += "    '" + path + "') words='" + follow + "' ;;\n";
  out +=
      "  esac\n  COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
      "  [[ ${#COMPREPLY[@]} -gt 0 ]] || COMPREPLY=($(compgen -f -- "
      "\"${COMP_WORDS[COMP_CWORD]}\"))\n}\ncomplete -F _holdfast holdfast\n";
  return out;
}

std::string fish(const CLI::App& app, const std::string& condition) {
  std::string out;
  for (const CLI::App* sub : app.get_subcommands(kAll)) {
    out += "complete -c holdfast -f -n '" +
           (condition.empty() ? "__fish_use_subcommand" : condition) + "' -a " + sub->get_name() +
           " -d '" + sub->get_description() + "'\n";
    const std::string inner = (condition.empty() ? "" : condition + "; and ") +
                              "__fish_seen_subcommand_from " + sub->get_name();
    for (const CLI::Option* option : sub->get_options()) {
      for (const std::string& name : option->get_lnames())
        out += "complete -c holdfast -n '" + inner + "' -l " + name + "\n";
    }
    out += fish(*sub, inner);
  }
  return out;
}

}  // namespace

std::string completion_script(const CLI::App& app, const std::string& shell) {
  if (shell == "fish") return fish(app, "");
  std::map<std::string, std::string> words;
  collect(app, "", words);
  // zsh runs bash completions once it is told to.
  return (shell == "zsh" ? "autoload -U +X bashcompinit && bashcompinit\n" : "") + bash(words);
}

}  // namespace holdfast::cli
