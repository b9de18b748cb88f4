// Completion scripts, made from the command tree itself.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace holdfast::cli {

// `shell` is bash, zsh or fish.
std::string completion_script(const CLI::App& app, const std::string& shell);

}  // namespace holdfast::cli
