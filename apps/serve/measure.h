// `holdfast-serve measure tune|verify|bench|profile|devices|load`: a process of its own that loads
// a model with the libraries the server uses, for `holdfast model …` and for the server itself.
// Prints lines of JSON: {"progress":0.25,"what":"…"}, and last {"result":{…}}.
#pragma once

namespace holdfast {

// The program's exit status: 0 done; 1 failed, or verify found a difference; 2 usage; 3 not found.
int measure(int argc, char** argv);

}  // namespace holdfast
