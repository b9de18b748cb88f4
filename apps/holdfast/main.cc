// The CLI, and the door to the daemons.
#include "cli/app.h"

int main(int argc, char** argv) {
  return holdfast::cli::run(argc, argv);
}
