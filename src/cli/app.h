// The command line: the map of nouns, global flags, suggestions, completion.
#pragma once

namespace holdfast::cli {

// Parses, runs one verb, prints; returns the exit code (docs/cli.md). `hub`, `edge` and `serve`
// become those programs.
int run(int argc, char** argv);

}  // namespace holdfast::cli
