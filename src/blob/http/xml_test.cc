// The XML of the protocol: block lists, service properties, names.
#include "blob/http/xml.h"

#include <gtest/gtest.h>

#include "blob/http/xml_text.h"
#include "blob/testing.h"

namespace holdfast::blob {
namespace {

std::string listed(std::string_view body) {
  const auto blocks = parse_block_list(body);
  if (!blocks) return reason_of(blocks);
  std::string out;
  for (const BlockRef& block : *blocks)
    out += std::string(1, "cul"[block.kind]) + ":" + block.id + " ";
  return out;
}

TEST(BlockListXml, NamesBlocksInOrder) {
  EXPECT_EQ(listed("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<BlockList>\n"
                   "  <Latest>AAAA</Latest>\n  <Committed>BBBB</Committed>\n"
                   "  <!-- again --><Uncommitted> AAAA </Uncommitted>\n</BlockList>"),
            "l:AAAA c:BBBB u:AAAA ");
  EXPECT_EQ(listed("<BlockList/>"), "");
  EXPECT_EQ(listed("\xEF\xBB\xBF<BlockList><Latest>Lw==</Latest></BlockList>"), "l:Lw== ");
}

TEST(BlockListXml, RefusesWhatIsNoBlockList) {
  for (const char* body :
       {"", "x", "<BlockList>", "<BlockList><Latest>AAAA</BlockList>", "<Blocks/>",
        "<BlockList><latest>AAAA</latest></BlockList>", "<BlockList><Block/></BlockList>",
        "<!DOCTYPE BlockList [<!ENTITY a \"b\">]><BlockList><Latest>&a;</Latest></BlockList>"})
    EXPECT_EQ(listed(body), "invalid_xml") << body;
}

TEST(BlockListXml, HoldsAtMost50000Blocks) {
  const auto body = [](int count) {
    std::string out = "<BlockList>";
    for (int i = 0; i < count; ++i) out += "<Latest>AAAA</Latest>";
    return out + "</BlockList>";
  };
  EXPECT_EQ(parse_block_list(body(50'000))->size(), 50'000u);
  EXPECT_EQ(listed(body(50'001)), "block_list_too_long");
}

std::string properties(std::string_view inside) {
  return "<StorageServiceProperties>" + std::string(inside) + "</StorageServiceProperties>";
}

TEST(ServicePropertiesXml, WhatIsNotNamedStays) {
  const auto fresh = merge_service_properties("", "");
  ASSERT_TRUE(fresh);
  EXPECT_NE(fresh->find("<Cors/>"), std::string::npos) << *fresh;
  const std::string rule = "<Cors><CorsRule><AllowedOrigins>*</AllowedOrigins></CorsRule></Cors>";
  const auto first = merge_service_properties("", properties(rule));
  ASSERT_TRUE(first);
  EXPECT_NE(first->find(rule), std::string::npos) << *first;
  const std::string version = "<DefaultServiceVersion>2021-12-02</DefaultServiceVersion>";
  const auto second = merge_service_properties(*first, properties(version));
  ASSERT_TRUE(second);
  EXPECT_NE(second->find(rule), std::string::npos) << *second;
  EXPECT_NE(second->find(version), std::string::npos) << *second;
  const auto third = merge_service_properties(*second, properties("<Cors/>"));
  ASSERT_TRUE(third);
  EXPECT_EQ(third->find("CorsRule"), std::string::npos) << *third;
  EXPECT_NE(third->find(version), std::string::npos) << *third;
  EXPECT_EQ(*merge_service_properties(*third, ""), *third);
}

TEST(ServicePropertiesXml, RefusesWhatIsUnknownOrNotKept) {
  std::string rules;
  for (int i = 0; i < 5; ++i) rules += "<CorsRule/>";
  EXPECT_TRUE(merge_service_properties("", properties("<Cors>" + rules + "</Cors>")));
  const std::pair<std::string, const char*> rows[] = {
      {"<", "invalid_xml"},
      {"<Other/>", "invalid_xml"},
      {properties("<Unknown/>"), "invalid_xml"},
      {properties("<Cors>" + rules + "<CorsRule/></Cors>"), "invalid_xml"},
      {"<!DOCTYPE a>" + properties(""), "invalid_xml"},
      {properties("<StaticWebsite><Enabled>true</Enabled></StaticWebsite>"), "unsupported"},
      {properties("<DeleteRetentionPolicy><Enabled> True </Enabled></DeleteRetentionPolicy>"),
       "invalid_xml"},
      {properties("<DeleteRetentionPolicy><Enabled>true</Enabled><Days>366</Days>"
                  "</DeleteRetentionPolicy>"),
       "invalid_xml"}};
  for (const auto& [body, expected] : rows)
    EXPECT_EQ(reason_of(merge_service_properties("", body)), expected) << body;
}

TEST(ServicePropertiesXml, SaysHowLongDeletedBlobsAreKept) {
  const auto of = [](const std::string& policy) {
    const auto merged = merge_service_properties(
        "", properties("<DeleteRetentionPolicy>" + policy + "</DeleteRetentionPolicy>"));
    return service_document(merged.value_or(""));
  };
  EXPECT_EQ(service_document("").kept.count(), 0);
  EXPECT_EQ(of("<Enabled>false</Enabled>").kept.count(), 0);
  const ServiceDocument week = of("<Enabled>true</Enabled><Days>7</Days>");
  EXPECT_EQ(week.kept, std::chrono::days(7));
  EXPECT_FALSE(week.permanent_delete);
  EXPECT_TRUE(of("<Enabled>true</Enabled><Days>1</Days>"
                 "<AllowPermanentDelete>true</AllowPermanentDelete>")
                  .permanent_delete);
}

TEST(XmlText, IsEscapedAndNamesThatXmlCanNotCarryAreEncoded) {
  EXPECT_EQ(xml_escape("a<b>&\"c\"\t\n"), "a&lt;b&gt;&amp;&quot;c&quot;\t\n");
  EXPECT_EQ(xml_escape(std::string_view("\x01\0", 2)), "\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(element("A", "<"), "<A>&lt;</A>");
  EXPECT_EQ(name_element("a/b&c 日"), "<Name>a/b&amp;c 日</Name>");
  EXPECT_EQ(name_element("a/\x01"), "<Name Encoded=\"true\">a/%01</Name>");
  EXPECT_EQ(name_element("\xEF\xBF\xBF"), "<Name Encoded=\"true\">%EF%BF%BF</Name>");
}

// Byte by byte, as XmlText does it for sixteen at once.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const std::string_view plain = "\t\n\r";
    out += c == '&'   ? "&amp;"
           : c == '<' ? "&lt;"
           : c == '>' ? "&gt;"
           : c == '"' ? "&quot;"
           : static_cast<uint8_t>(c) < 0x20 && plain.find(c) == std::string_view::npos
               ? "\xEF\xBF\xBD"
               : std::string(1, c);
  }
  return out;
}

TEST(XmlText, EscapesEachByteAtEachPlace) {
  for (size_t size = 0; size <= 34; ++size) {
    const std::string clean(size, 'x');
    EXPECT_EQ(xml_escape(clean), clean);
    for (size_t at = 0; at < size; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string text = clean;
        text[at] = static_cast<char>(byte);
        ASSERT_EQ(xml_escape(text), escaped(text)) << size << " " << at << " " << byte;
        const bool encoded = name_element(text).find("Encoded") != std::string::npos;
        ASSERT_EQ(encoded, byte < 0x20) << size << " " << at << " " << byte;
      }
    }
    const std::string around = clean + "\xEF\xBF\xBE" + clean,
                      other = clean + "\xEF\xBF\xBD" + clean;
    EXPECT_EQ(name_element(around),
              "<Name Encoded=\"true\">" + clean + "%EF%BF%BE" + clean + "</Name>");
    EXPECT_EQ(name_element(other), "<Name>" + other + "</Name>");
  }
}

TEST(XmlText, KeepsNoRoomThatItDoesNotNeed) {
  XmlText text;
  text.reserve(1 << 20);
  EXPECT_LT(text.raw("short").take().capacity(), 1000u);
}

TEST(XmlText, IsTheSameInPiecesOfAnySize) {
  for (const size_t size : {0, 1, 7, 100, 4095, 4096, 4097, 10'000}) {
    XmlText text;
    std::string expected;
    for (int i = 0; i < 300; ++i) {
      const std::string value = std::string(size, static_cast<char>('a' + i % 26)) + "<";
      text.element<"Value">(value).raw_element<"B">("raw").number_element<"N">(-i).element("t",
                                                                                           "&");
      expected +=
          element("Value", value) + "<B>raw</B><N>" + std::to_string(-i) + "</N><t>&amp;</t>";
    }
    EXPECT_EQ(text.raw("end").take(), expected + "end") << size;
    EXPECT_EQ(text.take(), "") << "it begins anew";
  }
}

}  // namespace
}  // namespace holdfast::blob
