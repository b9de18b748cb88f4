#include "blob/source_list.h"

#include <gtest/gtest.h>

namespace holdfast::blob {
namespace {

SourceList list_of(std::vector<std::string> entries) {
  auto list = SourceList::parse(entries);
  EXPECT_TRUE(list) << list.error().message();
  return list.value_or(SourceList());
}

TEST(SourceList, AllowsNothingByItself) {
  const SourceList none;
  for (const char* host : {"example.com", "127.0.0.1", "93.184.216.34", "::1"}) {
    EXPECT_FALSE(none.may_ask(host, 80)) << host;
    EXPECT_FALSE(none.may_connect(host, 80, "93.184.216.34")) << host;
  }
}

TEST(SourceList, ANameIsForItsPublicAddresses) {
  const SourceList list = list_of({"Example.com", "other.test:8443", "*.blob.test"});
  EXPECT_TRUE(list.may_connect("example.com", 80, "93.184.216.34"));
  EXPECT_TRUE(list.may_connect("EXAMPLE.com", 443, "2606:2800:21f::1"));
  EXPECT_FALSE(list.may_ask("www.example.com", 80));
  EXPECT_FALSE(list.may_connect("notexample.com", 80, "93.184.216.34"));
  EXPECT_TRUE(list.may_ask("other.test", 8443));
  EXPECT_FALSE(list.may_ask("other.test", 443));
  EXPECT_TRUE(list.may_ask("a.blob.test", 443));
  EXPECT_FALSE(list.may_ask("blob.test", 443));
  EXPECT_FALSE(list.may_ask("evilblob.test", 443));
  // Whoever answers for the name does not get into the network.
  for (const char* inside : {"127.0.0.1",
                             "127.1.2.3",
                             "0.0.0.0",
                             "10.0.0.1",
                             "172.16.0.1",
                             "172.31.255.255",
                             "192.168.1.1",
                             "169.254.169.254",
                             "100.64.0.1",
                             "224.0.0.1",
                             "255.255.255.255",
                             "::1",
                             "::",
                             "fe80::1",
                             "fd00::1",
                             "ff02::1",
                             "::ffff:127.0.0.1",
                             "::ffff:169.254.169.254",
                             "64:ff9b::7f00:1",
                             "2002:7f00:1::",
                             "2001::1",
                             "fe80::1%eth0",
                             "nonsense",
                             ""})
    EXPECT_FALSE(list.may_connect("example.com", 80, inside)) << inside;
}

TEST(SourceList, AnAddressOrARangeIsForWhateverNameLeadsThere) {
  const SourceList list =
      list_of({"127.0.0.1:9000", "10.1.0.0/16", "fd00::/8", "[::1]:81", "192.168.0.130/25"});
  EXPECT_TRUE(list.may_connect("127.0.0.1", 9000, "127.0.0.1"));
  EXPECT_TRUE(list.may_connect("localhost", 9000, "127.0.0.1"));
  EXPECT_TRUE(list.may_connect("localhost", 9000, "::ffff:127.0.0.1"));
  EXPECT_FALSE(list.may_connect("localhost", 9001, "127.0.0.1"));
  EXPECT_FALSE(list.may_connect("localhost", 9000, "127.0.0.2"));
  EXPECT_TRUE(list.may_connect("nas", 80, "10.1.255.255"));
  EXPECT_FALSE(list.may_connect("nas", 80, "10.2.0.0"));
  EXPECT_TRUE(list.may_connect("nas", 80, "fdff::1"));
  EXPECT_FALSE(list.may_connect("nas", 80, "fe80::1"));
  EXPECT_TRUE(list.may_connect("::1", 81, "::1"));
  EXPECT_FALSE(list.may_connect("::1", 82, "::1"));
  EXPECT_TRUE(list.may_connect("nas", 80, "192.168.0.255"));
  EXPECT_FALSE(list.may_connect("nas", 80, "192.168.0.127"));
  EXPECT_FALSE(list.may_ask("10.2.0.0", 80));
  EXPECT_TRUE(list.may_ask("10.1.0.1", 80));
  EXPECT_TRUE(list.may_ask("any.name", 80));  // what it leads to decides
  EXPECT_FALSE(list.may_connect("any.name", 80, "93.184.216.34"));
}

TEST(SourceList, RefusesWhatIsNoEntry) {
  for (const char* bad :
       {"", "http://a", "a/8", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0/8", "a:0", "a:65536",
        "a:b", "a b", "*", "*.", "a..b", "[::1", "fd00::/8:80", "user@a", "a,b", "a%eth0"})
    EXPECT_FALSE(SourceList::parse({bad})) << bad;
}

}  // namespace
}  // namespace holdfast::blob
