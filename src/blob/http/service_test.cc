// The service as a client meets it: who may do what, and what an error gives away.
#include <map>

#include "base/digest.h"
#include "blob/http/operations.h"
#include "blob/http/service_testing.h"
#include "net/http/testing.h"
#include "net/task_group.h"

namespace holdfast::blob {
namespace {

Task<void> handle_one(const http::Router& router, http::Request& request) {
  const http::Response response = co_await router.handle(request);
  EXPECT_LT(response.status, 300u);
}

Task<void> handle_at_once(const http::Router& router, std::vector<http::Request>& requests) {
  const Executor here = co_await this_executor();
  TaskGroup group;
  for (http::Request& request : requests) group.spawn(here, "request", handle_one(router, request));
  co_await group.join();
}

TEST_F(BlobService, ASignatureThatMayCreateDoesNotOverwrite) {
  const std::string create = sas("c");
  EXPECT_EQ(put(create, "first").status, 201u);
  const std::string before = everything();
  const Answer again = put(create, "second");
  EXPECT_EQ(again.status, 403u);
  EXPECT_EQ(again.code(), "UnauthorizedBlobOverwrite");
  EXPECT_EQ(everything(), before);
  EXPECT_EQ(bytes("x"), "first");
  EXPECT_EQ(put(sas("cw"), "third").status, 201u);
  EXPECT_EQ(put(sas("w"), "fourth").status, 201u);
  EXPECT_EQ(bytes("x"), "fourth");
}

TEST_F(BlobService, ASignatureThatMayCreateDoesNotOverwriteByBlocks) {
  const std::string create = sas("c"), block = "/site1/c/x?comp=block&blockid=AAAA&",
                    list = "/site1/c/x?comp=blocklist&",
                    body = "<BlockList><Latest>AAAA</Latest></BlockList>";
  EXPECT_EQ(handle(make_request("PUT", block + create, {}, "first")).status, 201u);
  EXPECT_EQ(handle(make_request("PUT", list + create, {}, body)).status, 201u);
  EXPECT_EQ(bytes("x"), "first");
  EXPECT_EQ(handle(make_request("PUT", block + create, {}, "second")).status, 201u);
  const Answer again = handle(make_request("PUT", list + create, {}, body));
  EXPECT_EQ(again.status, 403u);
  EXPECT_EQ(again.code(), "UnauthorizedBlobOverwrite");
  EXPECT_EQ(bytes("x"), "first");
  EXPECT_EQ(handle(make_request("PUT", list + sas("w"), {}, body)).status, 201u);
  EXPECT_EQ(bytes("x"), "second");
}

TEST_F(BlobService, ALargeBodyIsRefusedBeforeItTravels) {
  struct Untouched final : ByteSource {
    Task<Result<size_t>> read(std::span<std::byte>) override {
      ADD_FAILURE() << "the body was read";
      co_return 0;
    }
  };
  ASSERT_TRUE(put_blob("x", "first"));
  http::Request request =
      make_request("PUT", "/site1/c/x?" + sas("c"), {{"x-ms-blob-type", "BlockBlob"}});
  request.content_length = 1 << 20;
  request.body = std::make_unique<Untouched>();
  EXPECT_EQ(handle(std::move(request)).code(), "UnauthorizedBlobOverwrite");
}

// What an account SAS must hold, as "Create an account SAS" has it: any one of these letters. An
// operation that is missing here is missing a thought about who may call it.
const std::map<std::string_view, std::string_view> kLetters = {
    {"Get User Delegation Key", ""},  // a token alone
    {"List Containers", "l"},
    {"Get Service Properties", "r"},
    {"Set Service Properties", "w"},
    {"Get Blob Service Stats", "r"},
    {"Get Account Information", "racwdxltmeop"},
    {"Blob Batch", "racwdxltmeop"},  // each part has its own
    {"Create Container", "cw"},
    {"Get Container Properties", "rl"},
    {"Get Container Metadata", "rl"},
    {"Set Container Metadata", "w"},
    {"Delete Container", "d"},
    {"List Blobs", "l"},
    {"Find Blobs by Tags", "f"},
    {"Put Blob", "cw"},
    {"Put Page", "w"},
    {"Set Blob Expiry", "w"},
    {"Set Blob Immutability Policy", "i"},
    {"Delete Blob Immutability Policy", "i"},
    {"Set Blob Legal Hold", "i"},
    {"Get Page Ranges", "r"},
    {"Put Block", "cw"},
    {"Put Block List", "cw"},
    {"Get Block List", "r"},
    {"Get Blob", "r"},
    {"Get Blob Properties", "r"},
    {"Get Blob Metadata", "r"},
    {"Set Blob Metadata", "w"},
    {"Set Blob Properties", "w"},
    {"Delete Blob", "d"},
    {"Append Block", "aw"},
    {"Append Blob Seal", "w"},
    {"Lease Blob", "wd"},
    {"Lease Container", "wd"},
    {"Get Container ACL", ""},  // for the key alone
    {"Set Container ACL", ""},
    {"Abort Copy Blob", "w"},
    {"Get Blob Tags", "t"},
    {"Set Blob Tags", "t"},
    {"Set Blob Tier", "w"},
    {"Snapshot Blob", "cw"},
    {"Undelete Blob", "w"},
    {"Restore Container", "w"},
};

TEST_F(BlobService, EveryOperationNeedsItsPermission) {
  for (const Operation& operation : operations()) {
    const auto letters = kLetters.find(operation.name);
    ASSERT_NE(letters, kLetters.end()) << operation.name;
    const std::string method(operation.method);
    std::string target = "/site1";
    if (operation.level != 's') target += "/c";
    if (operation.level == 'o') target += "/x";
    target +=
        "?restype=" + std::string(operation.restype) + "&comp=" + std::string(operation.comp) + "&";
    EXPECT_EQ(handle(make_request(method, target)).code(), "NoAuthenticationInformation");
    for (const char letter : std::string_view("racwdxltmeop")) {
      const std::string before = everything();
      const Answer answer = handle(make_request(method, target + sas(std::string(1, letter), "")));
      if (letters->second.find(letter) == std::string_view::npos) {
        EXPECT_EQ(answer.status, 403u) << method << " " << operation.name << " with " << letter;
        EXPECT_EQ(answer.code(), "AuthorizationPermissionMismatch");
        EXPECT_EQ(everything(), before);
      } else {  // what is then wrong with the request is another matter
        EXPECT_TRUE(answer.status != 401 && answer.status != 403)
            << method << " " << operation.name << " with " << letter << ": " << answer.code();
      }
      (void)run_task(blobs->create_container("site1", "c", {}));  // where it was deleted
    }
  }
}

TEST_F(BlobService, AWrongKeyAndAnUnknownAccountLookTheSame) {
  const auto refused = [this](std::string_view target, std::string_view name,
                              const std::string& key) {
    http::Request request = signed_request("GET", target, {}, "");
    request.headers.set("Authorization", identity::shared_key_header(request, name, key));
    return handle(std::move(request));
  };
  const Answer wrong = refused("/site1/c/x", "site1", std::string(64, 'k')),
               unknown = refused("/nobody/c/x", "nobody", std::string(64, 'k'));
  EXPECT_EQ(wrong.status, 403u);
  EXPECT_EQ(unknown.status, 403u);
  EXPECT_EQ(wrong.code(), "AuthenticationFailed");
  EXPECT_EQ(unknown.code(), "AuthenticationFailed");
  for (const Answer& answer : {wrong, unknown})
    EXPECT_EQ(answer.body.find(base64(as_bytes(account.keys[0]))), std::string::npos);
  EXPECT_EQ(ask("GET", "/site1/c/x").status, 404u) << "the right key is let through";
}

TEST_F(BlobService, WhatBrokeInsideIsNotTold) {
  ASSERT_EQ(ask("PUT", "/site1/c/x", {{"x-ms-blob-type", "BlockBlob"}}, "first").status, 201u);
  const std::string before = everything();
  // What a disk denies, misses or has already is nothing that the client did.
  const std::tuple<Code, unsigned, const char*> rows[] = {{Code::internal, 500, "InternalError"},
                                                          {Code::unavailable, 503, "ServerBusy"},
                                                          {Code::denied, 500, "InternalError"},
                                                          {Code::not_found, 500, "InternalError"},
                                                          {Code::conflict, 500, "InternalError"}};
  for (const auto& [code, status, name] : rows) {
    failing_database->fail_next(Error(code, "/var/lib/secret.db: page 7 is corrupt"));
    const Answer of_commit = ask("PUT", "/site1/c/x", {{"x-ms-blob-type", "BlockBlob"}}, "second");
    failing_objects->fail_next(Error(code, "/var/lib/secret.db: no space"));
    const Answer of_bytes = ask("PUT", "/site1/c/x", {{"x-ms-blob-type", "BlockBlob"}}, "second");
    for (const Answer& answer : {of_commit, of_bytes}) {
      EXPECT_EQ(answer.status, status);
      EXPECT_EQ(answer.code(), name);
      EXPECT_EQ(answer.body.find("secret"), std::string::npos) << answer.body;
    }
  }
  EXPECT_EQ(everything(), before);
  EXPECT_EQ(ask("GET", "/site1/c/x").body, "first");
}

TEST_F(BlobService, AnUploadThatBreaksOffOrDoesNotMatchLeavesNothing) {
  const std::string before = everything();
  http::Request cut =
      signed_request("PUT", "/site1/c/x", {{"x-ms-blob-type", "BlockBlob"}}, "whole");
  cut.body =
      std::make_unique<http::FailingSource>("who", Error(Code::unavailable, "the peer is gone"));
  EXPECT_EQ(handle(std::move(cut)).status, 503u);
  const std::string md5 =
      base64(as_bytes(hash(HashKind::md5, as_bytes(std::string_view("other")))));
  const HeaderList block = {{"x-ms-blob-type", "BlockBlob"}};
  const std::tuple<const char*, std::string, const char*> rows[] = {
      {"Content-MD5", md5, "Md5Mismatch"},
      {"Content-MD5", "c2hvcnQ=", "InvalidMd5"},
      {"x-ms-blob-content-md5", md5, "Md5Mismatch"},
      {"x-ms-content-crc64", "AAAAAAAAAAA=", "Crc64Mismatch"},
      {"x-ms-content-crc64", "AAAA", "InvalidHeaderValue"}};
  for (const auto& [name, value, code] : rows) {
    HeaderList headers = block;
    headers.emplace_back(name, value);
    const Answer answer = ask("PUT", "/site1/c/x", headers, "whole");
    EXPECT_EQ(answer.status, 400u) << name << " " << value;
    EXPECT_EQ(answer.code(), code) << name << " " << value;
  }
  EXPECT_EQ(everything(), before);
  EXPECT_EQ(contents_after_sweep(), 0);
}

// Each names one section; together they must all be there.
TEST_F(BlobService, ServicePropertiesThatAreSetAtOnceAllStay) {
  const std::string sections[] = {
      "<Logging><Version>2.0</Version></Logging>",
      "<HourMetrics><Version>2.1</Version></HourMetrics>",
      "<MinuteMetrics><Version>2.2</Version></MinuteMetrics>",
      "<Cors><CorsRule><AllowedOrigins>*</AllowedOrigins><AllowedMethods>GET</"
      "AllowedMethods><MaxAgeInSeconds>23</MaxAgeInSeconds></CorsRule></Cors>",
      "<DefaultServiceVersion>2024-01-01</DefaultServiceVersion>"};
  const std::string target = "/site1?restype=service&comp=properties";
  std::vector<http::Request> requests;
  for (const std::string& section : sections)
    requests.push_back(signed_request(
        "PUT", target, {}, "<StorageServiceProperties>" + section + "</StorageServiceProperties>"));
  run_task(handle_at_once(router, requests));
  const std::string document = ask("GET", target).body;
  for (const std::string& section : sections)
    EXPECT_NE(document.find(section), std::string::npos) << section << "\n" << document;
}

// Bytes of Latin-1 are no UTF-8: the row could be written, and not be read again.
TEST_F(BlobService, MetadataAndHeadersAreAsciiOrRefused) {
  const std::string before = everything();
  const std::pair<HeaderList, const char*> rows[] = {
      {{{"x-ms-meta-place", "Z\xFCrich"}}, "InvalidMetadata"},
      {{{"x-ms-blob-content-disposition", "Z\xFCrich"}}, "InvalidHeaderValue"},
      {{{"Content-Type", "text/\xC3\xBC"}}, "InvalidHeaderValue"}};
  for (const auto& [sent, code] : rows) {
    HeaderList headers = sent;
    headers.emplace_back("x-ms-blob-type", "BlockBlob");
    const Answer answer = ask("PUT", "/site1/c/x", headers, "bytes");
    EXPECT_EQ(answer.status, 400u);
    EXPECT_EQ(answer.code(), code);
  }
  EXPECT_EQ(everything(), before);
}

TEST_F(BlobService, RangesAndTheirChecksums) {
  const std::string sent = text(1000, 'a');
  const Answer put = ask("PUT", "/site1/c/x", {{"x-ms-blob-type", "BlockBlob"}}, sent);
  const std::string md5 = base64(as_bytes(hash(HashKind::md5, as_bytes(sent))));
  EXPECT_EQ(put.headers.get("Content-MD5"), md5);
  const Answer whole = ask("GET", "/site1/c/x");
  EXPECT_EQ(whole.status, 200u);
  EXPECT_EQ(whole.body, sent);
  EXPECT_EQ(whole.headers.get("Content-MD5"), md5);
  EXPECT_EQ(whole.headers.get("ETag"), put.headers.get("ETag"));
  const std::tuple<const char*, const char*, std::string> rows[] = {
      {"bytes=0-9", "bytes 0-9/1000", sent.substr(0, 10)},
      {"bytes=990-", "bytes 990-999/1000", sent.substr(990)},
      {"bytes=999-5000", "bytes 999-999/1000", sent.substr(999)}};
  for (const auto& [range, expected, part] : rows) {
    const Answer answer =
        ask("GET", "/site1/c/x", {{"x-ms-range", range}, {"x-ms-range-get-content-md5", "true"}});
    EXPECT_EQ(answer.status, 206u) << range;
    EXPECT_EQ(answer.headers.get("Content-Range"), expected);
    EXPECT_EQ(answer.body, part);
    EXPECT_EQ(answer.headers.get("Content-MD5"),
              base64(as_bytes(hash(HashKind::md5, as_bytes(part)))));
    EXPECT_EQ(answer.headers.get("x-ms-blob-content-md5"), md5) << "the whole blob's";
  }
  const Answer beyond = ask("GET", "/site1/c/x", {{"x-ms-range", "bytes=1000-"}});
  EXPECT_EQ(beyond.status, 416u);
  EXPECT_EQ(beyond.headers.get("Content-Range"), "bytes */1000");
}

TEST_F(BlobService, ASourceIsOfThisServerAndForThisCaller) {
  ASSERT_TRUE(put_blob("secret", "secret"));
  const auto copy = [this](const std::string& url, const std::string& query) {
    return handle(make_request("PUT", "/site1/c/x?" + query,
                               {{"Host", "hub:1"}, {"x-ms-copy-source", url}}))
        .code();
  };
  const std::string writer = sas("cw"), here = "http://hub:1/site1/c/secret";
  EXPECT_EQ(copy(here, writer), "CannotVerifyCopySource");
  EXPECT_EQ(copy(here + "?" + sas("w", "secret"), writer), "CannotVerifyCopySource");
  EXPECT_EQ(copy("http://hub:2/site1/c/secret", writer), "CannotVerifyCopySource");
  EXPECT_EQ(copy("http://hub:1@evil/site1/c/secret", writer), "CannotVerifyCopySource");
  EXPECT_EQ(copy("ftp://hub:1/site1/c/secret", writer), "InvalidHeaderValue");
  EXPECT_EQ(bytes("x"), "blob_not_found");
  EXPECT_EQ(copy(here + "?" + sas("r", "secret"), writer), "");
  EXPECT_EQ(bytes("x"), "secret");
}

TEST_F(BlobService, ListingsMixBlobsAndPrefixesInOrder) {
  for (const char* name : {"a", "b/1", "b/2", "c", "d/1"}) ASSERT_TRUE(put_blob(name, "x"));
  const std::string target = "/site1/c?restype=container&comp=list&delimiter=/&maxresults=";
  const auto order = [](const std::string& body) {
    std::string out;
    for (size_t at = body.find("<Name>"); at != std::string::npos; at = body.find("<Name>", at + 1))
      out += body.substr(at + 6, body.find('<', at + 6) - at - 6) + " ";
    return out;
  };
  EXPECT_EQ(order(ask("GET", target + "10").body), "a b/ c d/ ");
  const Answer first = ask("GET", target + "2");
  EXPECT_EQ(order(first.body), "a b/ ");
  const size_t at = first.body.find("<NextMarker>") + 12;
  const std::string marker = first.body.substr(at, first.body.find('<', at) - at);
  const Answer second = ask("GET", target + "2&marker=" + percent_encode(marker));
  EXPECT_EQ(order(second.body), "c d/ ");
  EXPECT_NE(second.body.find("<NextMarker/>"), std::string::npos);
  EXPECT_EQ(ask("GET", target + "0").code(), "InvalidQueryParameterValue");
  EXPECT_EQ(ask("GET", target + "2&marker=***").code(), "InvalidQueryParameterValue");
}

}  // namespace
}  // namespace holdfast::blob
