// SharedKey and SAS against what the azure-storage-blob package signs, and against tampering.
#include <gtest/gtest.h>

#include "identity/sas.h"
#include "identity/shared_key.h"
#include "support/signature_vectors.h"

namespace holdfast::identity {
namespace {

const KeyPair kKeys = {std::string(64, 'k'), *from_base64(vectors::kKey)};

void set_target(http::Request& request, std::string_view target) {
  const size_t mark = target.find('?');
  request.target = target;
  request.path = target.substr(0, mark);
  request.query.clear();
  if (mark == std::string_view::npos) return;
  for (const auto pair : split(target.substr(mark + 1), '&')) {
    const size_t equals = pair.find('=');
    request.query.emplace_back(*percent_decode(pair.substr(0, equals)),
                               *percent_decode(pair.substr(equals + 1)));
  }
}

http::Request request_of(const vectors::Signed& row) {
  http::Request request;
  request.method = row.method;
  set_target(request, row.target);
  for (const auto line : split(row.headers, '\n')) {
    if (line.empty()) continue;
    const size_t colon = line.find(": ");
    request.headers.add(line.substr(0, colon), std::string(line.substr(colon + 2)));
  }
  request.content_length = parse_u64(request.headers.get_or("Content-Length", ""));
  request.headers.set("Authorization", row.authorization);
  return request;
}

http::Request request_with(std::string_view query) {
  http::Request request;
  request.method = "GET";
  request.peer = "127.0.0.1:1234";
  set_target(request, "/site1/c/x?" + std::string(query));
  return request;
}

TEST(SharedKey, AgreesWithTheAzureClient) {
  const FakeClock clock;
  for (const auto& row : vectors::kSigned) {
    const http::Request request = request_of(row);
    const auto right = verify_shared_key(request, "site1", kKeys, clock);
    EXPECT_TRUE(right) << row.target << "\n" << row.headers << right.error().message();
    EXPECT_EQ(shared_key_header(request, "site1", kKeys[1]), row.authorization) << row.headers;
  }
}

TEST(SharedKey, TakesHeaderNamesSortedByBytesToo) {
  http::Request request = request_of(vectors::kSigned[0]);
  request.headers.set("x-ms-meta-a-b", "1");
  request.headers.set("x-ms-meta-aa", "2");
  std::string text = shared_key_text(request, "site1");
  const std::string service = "x-ms-meta-aa:2\nx-ms-meta-a-b:1\n";
  const size_t at = text.find(service);
  ASSERT_NE(at, std::string::npos) << text;
  text.replace(at, service.size(), "x-ms-meta-a-b:1\nx-ms-meta-aa:2\n");
  request.headers.set("Authorization", "SharedKey site1:" + sign(kKeys[0], text));
  EXPECT_TRUE(verify_shared_key(request, "site1", kKeys, FakeClock()));
}

TEST(SharedKey, JoinsWhatIsGivenTwiceAndFoldsLines) {
  http::Request request;
  request.method = "GET";
  set_target(request, "/site1/c?comp=list&include=tags&Include=copy");
  request.headers.add("X-Ms-Meta-A", "  one ");
  request.headers.add("x-ms-meta-a", "two");
  EXPECT_EQ(shared_key_text(request, "site1"),
            "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-meta-a:one,two\n/site1/site1/c\ncomp:list\n"
            "include:copy,tags");
}

TEST(SharedKey, RefusesWhatWasChanged) {
  const FakeClock clock;
  const auto refused = [&](auto change, Code code, std::string_view reason) {
    http::Request request = request_of(vectors::kSigned[0]);
    change(request);
    const auto result = verify_shared_key(request, "site1", kKeys, clock);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), code);
    EXPECT_EQ(result.error().reason(), reason);
  };
  const auto denied = [&](auto change) { refused(change, Code::denied, "authentication_failed"); };
  const auto differs = [&](auto change) { refused(change, Code::denied, kSignatureMismatch); };
  differs([](http::Request& r) { r.method = "DELETE"; });
  differs([](http::Request& r) { r.path += "x"; });
  differs([](http::Request& r) { r.query.emplace_back("comp", "block"); });
  differs([](http::Request& r) { r.content_length = 6; });
  differs([](http::Request& r) { r.headers.set("x-ms-meta-new", "1"); });
  differs([](http::Request& r) { r.headers.set("Content-Type", "text/html"); });
  denied([](http::Request& r) { r.headers.erase("x-ms-date"); });
  denied([](http::Request& r) { r.headers.set("x-ms-date", "yesterday"); });
  denied([](http::Request& r) { r.headers.set("Authorization", "SharedKey site1"); });
  differs([](http::Request& r) { r.headers.set("Authorization", "SharedKey site1:"); });
  denied([](http::Request& r) { r.headers.set("Authorization", "SharedKey other:QQ=="); });
  denied([](http::Request& r) { r.headers.set("Authorization", "SharedKeyLite site1:QQ=="); });
  refused([](http::Request& r) { r.headers.erase("Authorization"); }, Code::unauthenticated,
          "missing_authorization");
}

TEST(SharedKey, SaysWhatTheServerSigned) {
  http::Request request = request_of(vectors::kSigned[0]);
  request.headers.set("Authorization", "SharedKey site1:QUJD");
  const auto result = verify_shared_key(request, "site1", kKeys, FakeClock());
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().message().find(shared_key_text(request, "site1")), std::string::npos);
}

TEST(SharedKey, AllowsFifteenMinutesEitherWay) {
  const http::Request request = request_of(vectors::kSigned[0]);
  for (const int minutes : {-15, 0, 15}) {
    FakeClock clock;
    clock.advance(std::chrono::minutes(minutes));
    EXPECT_TRUE(verify_shared_key(request, "site1", kKeys, clock)) << minutes;
  }
  for (const int seconds : {-901, 901}) {
    FakeClock clock;
    clock.advance(std::chrono::seconds(seconds));
    EXPECT_FALSE(verify_shared_key(request, "site1", kKeys, clock)) << seconds;
  }
}

TEST(Sas, AgreesWithTheAzureClient) {
  for (const auto& row : vectors::kSas) {
    Wanted wanted;
    wanted.permission = 'r';
    wanted.container = row.container;
    wanted.blob = row.kind == std::string("c") ? "any" : row.blob;
    const auto grant = verify_sas(request_with(row.query), "site1", kKeys, wanted, FakeClock());
    EXPECT_TRUE(grant) << row.query << grant.error().message();
  }
}

struct Made : testing::Test {
  FakeClock clock;
  SasRequest request;
  Wanted wanted;
  void SetUp() override {
    request.permissions = "r";
    request.start = clock.now() - std::chrono::hours(1);
    request.expiry = clock.now() + std::chrono::hours(1);
    request.container = "c";
    request.blob = "x";
    wanted.permission = 'r';
    wanted.container = "c";
    wanted.blob = "x";
  }
  Result<SasGrant> ask(std::string_view more = "") {
    return verify_sas(request_with(make_sas("site1", kKeys[0], request) + std::string(more)),
                      "site1", kKeys, wanted, clock);
  }
  std::string_view reason() {
    const auto grant = ask();
    return grant ? "granted" : grant.error().reason();
  }
};

TEST_F(Made, IsGranted) {
  const auto grant = ask();
  ASSERT_TRUE(grant) << grant.error().message();
  EXPECT_EQ(grant->permissions, "r");
  request.blob.clear();  // of the container
  EXPECT_EQ(reason(), "granted");
  request.container.clear();  // of the account
  EXPECT_EQ(reason(), "granted");
}

TEST_F(Made, IsForItsTimeAlone) {
  clock.advance(std::chrono::seconds(3599));
  EXPECT_EQ(reason(), "granted");
  clock.advance(std::chrono::seconds(1));
  EXPECT_EQ(reason(), "authentication_failed");
  clock.advance(-std::chrono::seconds(7200));
  EXPECT_EQ(reason(), "granted");
  clock.advance(-std::chrono::seconds(1));
  EXPECT_EQ(reason(), "authentication_failed");
}

TEST_F(Made, IsForItsBlobAlone) {
  wanted.blob = "y";
  EXPECT_EQ(reason(), kSignatureMismatch);
  wanted.blob = "x";
  wanted.container = "d";
  EXPECT_EQ(reason(), kSignatureMismatch);
}

TEST_F(Made, IsForItsPermissionsAddressProtocolAndReach) {
  wanted.permission = 'w';
  EXPECT_EQ(reason(), "sas_permission");
  wanted.alternative = "r";
  EXPECT_EQ(reason(), "granted");
  request.ip = "127.0.0.2-127.0.0.9";
  EXPECT_EQ(reason(), "sas_ip");
  request.ip = "127.0.0.1";
  EXPECT_EQ(reason(), "granted");
  request.protocol = "https";
  EXPECT_EQ(reason(), "sas_protocol");
  request.protocol = "https,http";
  request.container = request.blob = "";
  request.resource_types = "sc";
  EXPECT_EQ(reason(), "sas_resource");
}

TEST_F(Made, RefusesWhatWasChanged) {
  const std::string query = make_sas("site1", kKeys[0], request);
  for (const std::string_view field : {"sp=r", "se=2023", "st=2023", "sr=b", "sig="}) {
    std::string changed = query;
    const size_t at = changed.find(field);
    ASSERT_NE(at, std::string::npos) << field;
    char& c = changed[at + field.size()];
    c = c == '1' ? '2' : '1';
    if (field == "sp=r" || field == "sr=b") changed.insert(at + field.size(), "w");
    EXPECT_FALSE(verify_sas(request_with(changed), "site1", kKeys, wanted, clock)) << changed;
  }
  EXPECT_FALSE(verify_sas(request_with(query), "site2", kKeys, wanted, clock));
}

// The query of a signature that leaves everything to a policy, or what `fields` say.
std::string by_policy(const std::string& fields, const std::string& permissions,
                      const std::string& start, const std::string& expiry) {
  const std::string text = permissions + "\n" + start + "\n" + expiry +
                           "\n/blob/site1/c/x\nreader\n\n\n2021-12-02\nb\n\n\n\n\n\n\n";
  return "sv=2021-12-02&sr=b&si=reader" + fields + "&sig=" + percent_encode(sign(kKeys[0], text));
}

TEST_F(Made, APolicySaysWhatTheSignatureLeavesOut) {
  const std::string end = format_rfc3339(clock.now() + std::chrono::hours(1), 0);
  const auto outcome = [&](const std::string& query) {
    const auto grant = verify_sas(request_with(query), "site1", kKeys, wanted, clock);
    return std::string(grant ? "granted" : grant.error().reason());
  };
  const std::string bare = by_policy("", "", "", "");
  EXPECT_EQ(outcome(bare), "authentication_failed") << "there is no such policy";
  wanted.policy.emplace("r", "", end);
  EXPECT_EQ(outcome(bare), "granted");
  wanted.permission = 'w';
  EXPECT_EQ(outcome(bare), "sas_permission");
  wanted.permission = 'r';
  EXPECT_EQ(outcome(by_policy("&sp=r", "r", "", "")), "authentication_failed") << "sp twice";
  wanted.policy.emplace("", "", end);
  EXPECT_EQ(outcome(by_policy("&sp=r", "r", "", "")), "granted");
  clock.advance(std::chrono::hours(1));
  EXPECT_EQ(outcome(by_policy("&sp=r", "r", "", "")), "authentication_failed");
  wanted.policy.emplace("r", "", "");
  EXPECT_EQ(outcome(bare), "sas_query") << "no one says when it ends";
}

TEST_F(Made, SomeThingsAreForTheKeyAlone) {
  wanted.key_only = true;
  EXPECT_EQ(reason(), "sas_permission");
}

}  // namespace
}  // namespace holdfast::identity
