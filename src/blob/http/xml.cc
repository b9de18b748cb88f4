#include "blob/http/xml.h"

#include <algorithm>
#include <cstring>
#include <pugixml.hpp>
#include <sstream>

#include "base/bytes.h"
#include "blob/http/xml_text.h"

namespace holdfast::blob {
namespace {

constexpr size_t kBlocks = 50'000;

std::unexpected<Error> invalid_xml(std::string why) {
  return fail(Code::invalid_argument, "invalid_xml",
              "XML specified is not syntactically valid: " + std::move(why));
}

// The root element `name` of a document without a DOCTYPE, and so without entities of its own.
Result<pugi::xml_node> load(pugi::xml_document& document, std::string_view body, const char* name) {
  const auto parsed =
      document.load_buffer(body.data(), body.size(), pugi::parse_default | pugi::parse_doctype);
  if (!parsed) return invalid_xml(parsed.description());
  for (const pugi::xml_node& node : document.children()) {
    if (node.type() == pugi::node_doctype) return invalid_xml("a DOCTYPE is not allowed");
  }
  const pugi::xml_node root = document.child(name);
  if (!root) return invalid_xml(std::string("its root is not ") + name);
  return root;
}

bool is_true(const pugi::xml_node& node) {
  return equal_ignore_case(trim(node.text().get()), "true");
}

// 0 where it is no number of days from 1 to 365.
int64_t days_in(const pugi::xml_node& policy) {
  const auto days = parse_u64(trim(policy.child("Days").text().get()));
  return days && *days >= 1 && *days <= 365 ? static_cast<int64_t>(*days) : 0;
}

// What a new account has.
constexpr std::string_view kServiceProperties =
    "<StorageServiceProperties>"
    "<Logging><Version>1.0</Version><Delete>false</Delete><Read>false</Read><Write>false</Write>"
    "<RetentionPolicy><Enabled>false</Enabled></RetentionPolicy></Logging>"
    "<HourMetrics><Version>1.0</Version><Enabled>false</Enabled>"
    "<RetentionPolicy><Enabled>false</Enabled></RetentionPolicy></HourMetrics>"
    "<MinuteMetrics><Version>1.0</Version><Enabled>false</Enabled>"
    "<RetentionPolicy><Enabled>false</Enabled></RetentionPolicy></MinuteMetrics>"
    "<Cors/><DeleteRetentionPolicy><Enabled>false</Enabled></DeleteRetentionPolicy>"
    "<StaticWebsite><Enabled>false</Enabled></StaticWebsite></StorageServiceProperties>";
constexpr const char* kSections[] = {
    "Logging",      "HourMetrics",           "MinuteMetrics",
    "Cors",         "DefaultServiceVersion", "DeleteRetentionPolicy",
    "StaticWebsite"};
constexpr size_t kCorsRules = 5, kPolicies = 5, kPolicyId = 64, kTags = 10;

}  // namespace

Result<std::vector<BlockRef>> parse_block_list(std::string_view body) {
  pugi::xml_document document;
  TRY(const pugi::xml_node root, load(document, body, "BlockList"));
  std::vector<BlockRef> blocks;
  for (const pugi::xml_node& node : root.children()) {
    if (node.type() != pugi::node_element) continue;
    const std::string_view name = node.name();
    BlockRef block{};
    if (name == "Committed")
      block.kind = BlockRef::committed;
    else if (name == "Uncommitted")
      block.kind = BlockRef::uncommitted;
    else if (name == "Latest")
      block.kind = BlockRef::latest;
    else
      return invalid_xml("a block list holds Committed, Uncommitted and Latest, not " +
                         std::string(name));
    block.id = std::string(trim(node.text().get()));
    blocks.push_back(std::move(block));
    if (blocks.size() > kBlocks)
      return fail(Code::invalid_argument, "block_list_too_long",
                  "The block list may not contain more than 50,000 blocks.");
  }
  return blocks;
}

Result<KeyInfo> parse_key_info(std::string_view body) {
  pugi::xml_document document;
  TRY(const pugi::xml_node root, load(document, body, "KeyInfo"));
  const auto text = [&](const char* name) {
    return std::string(trim(root.child(name).text().get()));
  };
  return KeyInfo{text("Start"), text("Expiry"), text("DelegatedUserTid")};
}

Result<std::vector<Policy>> parse_policies(std::string_view body) {
  std::vector<Policy> policies;
  if (trim(body).empty()) return policies;
  pugi::xml_document document;
  TRY(const pugi::xml_node root, load(document, body, "SignedIdentifiers"));
  for (const pugi::xml_node& node : root.children("SignedIdentifier")) {
    const pugi::xml_node rule = node.child("AccessPolicy");
    const auto text = [&](const char* name) {
      return std::string(trim(rule.child(name).text().get()));
    };
    Policy policy{std::string(trim(node.child("Id").text().get())), text("Start"), text("Expiry"),
                  text("Permission")};
    if (policy.id.empty() || policy.id.size() > kPolicyId)
      return invalid_xml("a policy's Id has 1 to 64 characters");
    for (const std::string& time : {policy.start, policy.expiry}) {
      if (!time.empty() && !parse_rfc3339(time)) return invalid_xml("'" + time + "' is no time");
    }
    for (const Policy& other : policies) {
      if (other.id == policy.id) return invalid_xml("two policies have one Id");
    }
    policies.push_back(std::move(policy));
    if (policies.size() > kPolicies) return invalid_xml("there are at most 5 policies");
  }
  return policies;
}

Result<Pairs> parse_tags(std::string_view body) {
  pugi::xml_document document;
  TRY(const pugi::xml_node root, load(document, body, "Tags"));
  Pairs tags;
  for (const pugi::xml_node& node : root.child("TagSet").children("Tag"))
    tags.emplace_back(node.child("Key").text().get(), node.child("Value").text().get());
  return tags;
}

std::string tags_element(const Pairs& tags) {
  std::string out = "<Tags><TagSet>";
  for (const auto& [key, value] : tags)
    out += "<Tag>" + element("Key", key) + element("Value", value) + "</Tag>";
  return out + "</TagSet></Tags>";
}

Result<void> check_tags(const Pairs& tags) {
  if (tags.size() > kTags)
    return fail(Code::invalid_argument, "too_many_tags", "a blob has at most 10 tags");
  const auto fits = [](std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
             std::string_view(" +-./:=_").find(c) != std::string_view::npos;
    });
  };
  for (size_t i = 0; i < tags.size(); ++i) {
    const auto& [key, value] = tags[i];
    if (key.empty())
      return fail(Code::invalid_argument, "empty_tag_name", "a tag's key is not empty");
    if (key.size() > 128 || value.size() > 256 || !fits(key) || !fits(value))
      return fail(Code::invalid_argument, "invalid_tag",
                  "a tag's key has up to 128 characters and its value 256, of letters, digits, "
                  "space and + - . / : = _");
    for (size_t k = 0; k < i; ++k) {
      if (tags[k].first == key)
        return fail(Code::invalid_argument, "duplicate_tag_names", "two tags have one key");
    }
  }
  return {};
}

Result<std::string> merge_service_properties(std::string_view present, std::string_view body) {
  pugi::xml_document document, wanted;
  TRY(pugi::xml_node root,
      load(document, present.empty() ? kServiceProperties : present, "StorageServiceProperties"));
  if (!body.empty()) {
    TRY(const pugi::xml_node changes, load(wanted, body, "StorageServiceProperties"));
    for (const pugi::xml_node& section : changes.children()) {
      if (section.type() != pugi::node_element) continue;
      const char* name = section.name();
      if (std::none_of(std::begin(kSections), std::end(kSections),
                       [&](const char* known) { return std::strcmp(known, name) == 0; }))
        return invalid_xml(std::string("there is no service property ") + name);
      const std::string_view word = name;
      // A promise about data that nobody keeps is worse than an error.
      if (word == "StaticWebsite" && is_true(section.child("Enabled")))
        return fail(Code::unsupported, std::string(word) + " is not offered by this server");
      if (word == "DeleteRetentionPolicy" && is_true(section.child("Enabled")) &&
          days_in(section) == 0)
        return invalid_xml("the Days of the DeleteRetentionPolicy are 1 to 365");
      if (word == "Cors" &&
          std::distance(section.begin(), section.end()) > static_cast<std::ptrdiff_t>(kCorsRules))
        return invalid_xml("there are at most 5 CORS rules");
      // What is not named stays as it is.
      const pugi::xml_node old = root.child(name);
      if (old) {
        root.insert_copy_after(section, old);
        root.remove_child(old);
      } else {
        root.append_copy(section);
      }
    }
  }
  std::ostringstream out;
  root.print(out, "", pugi::format_raw | pugi::format_no_declaration, pugi::encoding_utf8);
  return out.str();
}

ServiceDocument service_document(std::string text) {
  ServiceDocument document;
  pugi::xml_document parsed;
  if (const auto root = load(parsed, text, "StorageServiceProperties")) {
    const pugi::xml_node policy = root->child("DeleteRetentionPolicy");
    if (is_true(policy.child("Enabled"))) document.kept = std::chrono::days(days_in(policy));
    document.permanent_delete = is_true(policy.child("AllowPermanentDelete"));
  }
  document.text = std::move(text);
  return document;
}

}  // namespace holdfast::blob
