// Messages of one client of the local door, a line each, to a server with a model of one float and
// one of texts. A line's first byte says what memory comes with it. Whatever was asked, every
// message has one answer of the protocol's form, and a right question is answered rightly after it.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/files.h"
#include "inference/fake_engine.h"
#include "inference/local/request.h"

using namespace holdfast;

namespace {

constexpr size_t kSize = 4096;
constexpr int kWhole = F_SEAL_SHRINK | F_SEAL_GROW;

Fd memory(int seals) {
  Fd made(::memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!made || ::ftruncate(made.get(), kSize) != 0) std::abort();
  const std::string text("\3\0\0\0abc\1\0\0\0d", 12);
  if (::pwrite(made.get(), text.data(), text.size(), 0) < 0) std::abort();
  if (seals != 0 && ::fcntl(made.get(), F_ADD_SEALS, seals) != 0) std::abort();
  return made;
}

std::vector<Fd> memories(char kind) {
  std::vector<Fd> out;
  if (kind == 'm' || kind == 'b') out.push_back(memory(kWhole));
  if (kind == 'c') out.push_back(memory(kWhole | F_SEAL_WRITE | F_SEAL_SEAL));
  if (kind == 'u') out.push_back(memory(0));
  if (kind == 'b') out.push_back(memory(kWhole));
  if (kind == 'f') out.emplace_back(::open("/dev/null", O_RDWR | O_CLOEXEC));
  return out;
}

// Two models in a folder that goes with the process.
struct Server {
  Server() {
    char name[] = "/tmp/fuzz_local.XXXXXX";
    const std::string folder = ::mkdtemp(name);
    repository = std::move(*inference::Repository::open(folder, engine));
    put("m", inference::fake_model(2));
    put("t", inference::fake_model(1, "input x BYTES -1\noutput y BYTES -1\n"));
    std::filesystem::remove_all(folder);
  }
  void put(const char* name, const std::string& model) {
    MemorySource source(model);
    if (!run_task(repository->put(name, 1, source, 1 << 20))) std::abort();
  }
  std::string ask(inference::Regions& regions, std::string_view message, std::vector<Fd> passed) {
    inference::LocalClient client{*repository, regions, nullptr};
    inference::LocalRequest request(client, message, std::move(passed), [] { return false; });
    if (const auto answer = request.at_once()) return answer->text;
    return run_task(request.late()).text;
  }
  inference::FakeEngine engine;
  std::unique_ptr<inference::Repository> repository;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Server server;
  inference::Regions regions;
  for (const std::string_view line :
       split(std::string_view(reinterpret_cast<const char*>(data), size), '\n')) {
    if (line.empty() || line.size() > inference::kLocalMessage) continue;
    const std::string answer = server.ask(regions, line.substr(1), memories(line[0]));
    if (answer.size() > inference::kLocalMessage) std::abort();
    boost::system::error_code error;
    const auto value = boost::json::parse(answer, error);
    if (error || !value.is_object()) std::abort();
    const auto& object = value.get_object();
    const int forms = static_cast<int>(object.contains("error")) +
                      static_cast<int>(object.contains("registered")) +
                      static_cast<int>(object.contains("unregistered")) +
                      static_cast<int>(object.contains("outputs"));
    if (forms != 1 || object.contains("error") != object.contains("kind")) std::abort();
  }
  inference::Regions own;
  const std::string right = server.ask(
      own,
      R"({"model_name":"m","inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,-2]}]})",
      {});
  if (right.find(R"("data":[2,-4])") == std::string::npos &&
      right.find(R"("data":[2.0,-4.0])") == std::string::npos)
    std::abort();
  return 0;
}
