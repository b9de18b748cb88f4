#include "identity/authority.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>

#include "base/files.h"
#include "net/http/client.h"
#include "net/http/server.h"

namespace holdfast::identity {
namespace {

struct Authorities : testing::Test {
  FakeClock clock{SystemClock().now()};
  std::string directory = make_directory();
  static std::string make_directory() {
    char name[] = "/tmp/authority_test.XXXXXX";
    return ::mkdtemp(name);
  }
  void TearDown() override { std::filesystem::remove_all(directory); }
  std::unique_ptr<Authority> open() { return *Authority::open(directory, "Test CA", clock); }
};

const Subject kHub{"hub", {"hub.holdfast.internal", "localhost"}, {"127.0.0.1", "::1"}};

Task<Result<http::Response>> hello(http::Request& request) {
  co_return http::Response(200, "text/plain", request.tls ? "tls" : "plain");
}

Task<Result<unsigned>> get(std::shared_ptr<TlsContext> tls, std::string url) {
  http::ClientOptions options;
  options.tls = std::move(tls);
  http::Client client(options);
  http::ClientRequest request("GET", std::move(url));
  CO_TRY(const auto answer, co_await client.fetch(std::move(request)));
  co_return answer.status;
}

TEST_F(Authorities, ClientsThatTrustItReachTheNamesInACertificateAndNoOthers) {
  const auto authority = open();
  Runtime runtime(1);
  http::Router router;
  router.add("GET", "/", http::Role::anonymous, hello);
  http::ServerOptions options;
  options.tls = *authority->server_tls("hub", {"hub", {}, {"127.0.0.1"}});
  auto server = *http::Server::start(runtime, options, router);
  runtime.start();
  const std::string port = ":" + std::to_string(server->port()) + "/";
  const auto trusting = *TlsContext::client(authority->certificate_pem());
  EXPECT_EQ(run_task(get(trusting, "https://127.0.0.1" + port)).value(), 200u);
  EXPECT_FALSE(run_task(get(trusting, "https://localhost" + port)));  // a name it does not hold
  char other[] = "/tmp/authority_test.XXXXXX";
  const std::string elsewhere = ::mkdtemp(other);
  const auto stranger = *Authority::open(elsewhere, "Other CA", clock);
  EXPECT_FALSE(
      run_task(get(*TlsContext::client(stranger->certificate_pem()), "https://127.0.0.1" + port)));
  std::filesystem::remove_all(elsewhere);
  run_task(server->stop(std::chrono::seconds(1)));
}

TEST_F(Authorities, ItIsTheSameAfterARestart) {
  const std::string first = open()->certificate_pem();
  EXPECT_EQ(open()->certificate_pem(), first);
  struct stat info{};
  ASSERT_EQ(::stat((directory + "/ca.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(Authorities, AKeyOfAnotherAuthorityIsAnError) {
  open();
  const auto key = *read_file(directory + "/ca.key");
  std::filesystem::remove(directory + "/ca.key");
  open();  // a certificate without its key is made anew
  ASSERT_TRUE(replace_file(directory + "/ca.key", as_bytes(key), 0600));
  EXPECT_EQ(Authority::open(directory, "Test CA", clock).error().code(), Code::internal);
}

TEST_F(Authorities, ADoorsCertificateIsKeptUntilItsLastThirdOrANewSubject) {
  const auto authority = open();
  const auto issued = [&](const Subject& subject) {
    EXPECT_TRUE(authority->server_tls("hub", subject));
    return *read_file(directory + "/hub.crt");
  };
  const std::string first = issued(kHub);
  EXPECT_EQ(issued(kHub), first);
  clock.advance(std::chrono::hours(24 * 240));
  EXPECT_EQ(issued(kHub), first);
  clock.advance(std::chrono::hours(24 * 10));
  const std::string renewed = issued(kHub);
  EXPECT_NE(renewed, first);
  EXPECT_NE(issued({"hub", {"other"}, {}}), renewed);
}

TEST_F(Authorities, NamesThatWouldSayMoreAreRefused) {
  const auto authority = open();
  for (const Subject& bad : {Subject{"x", {"a,IP:10.0.0.1"}, {}}, Subject{"x", {""}, {}},
                             Subject{"x", {}, {"1.2.3"}}, Subject{"x", {}, {}}})
    EXPECT_EQ(authority->issue(bad, std::chrono::hours(1)).error().code(), Code::invalid_argument);
}

}  // namespace
}  // namespace holdfast::identity
