#include "net/run_file.h"

#include <unistd.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "version.h"

namespace holdfast {

RunFile::RunFile(std::string path,
                 std::initializer_list<std::pair<const char*, std::string>> addresses)
    : path_(std::move(path)) {
  boost::json::object out;
  out["pid"] = ::getpid();
  out["started"] = format_rfc3339(SystemClock().now());
  out["version"] = kVersion;
  for (const auto& [name, address] : addresses) {
    if (!address.empty()) out[name] = address;
  }
  if (auto written = replace_file(path_, as_bytes(boost::json::serialize(out) + "\n"), 0600);
      !written) {
    log::error("run", "cannot write the run file",
               {{"path", path_}, {"error", written.error().message()}});
  }
}

RunFile::~RunFile() {
  ::unlink(path_.c_str());
}

}  // namespace holdfast
