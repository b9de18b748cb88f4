// The XML forms of the Blob protocol (xml_text.h: how they are written). Pure functions, any
// thread.
#pragma once

#include <string>
#include <vector>

#include "blob/types.h"

namespace holdfast::blob {

// The body of Put Block List. invalid_argument "invalid_xml", "block_list_too_long".
Result<std::vector<BlockRef>> parse_block_list(std::string_view body);

// The body of Get User Delegation Key. invalid_argument "invalid_xml".
struct KeyInfo {
  std::string start, expiry, delegated_tid;
};
Result<KeyInfo> parse_key_info(std::string_view body);

// The body of Set Container ACL, "" too. invalid_argument "invalid_xml".
Result<std::vector<Policy>> parse_policies(std::string_view body);

// The body of Set Blob Tags. invalid_argument "invalid_xml".
Result<Pairs> parse_tags(std::string_view body);
std::string tags_element(const Pairs& tags);
// invalid_argument "too_many_tags", "empty_tag_name", "duplicate_tag_names", "invalid_tag".
Result<void> check_tags(const Pairs& tags);

// The body of Set Blob Service Properties laid over the document that is in force ("": none yet);
// returns the new one. invalid_argument "invalid_xml"; unsupported where it asks for what is not
// done here.
Result<std::string> merge_service_properties(std::string_view present, std::string_view body);
// What such a document says for the domain.
ServiceDocument service_document(std::string text);

}  // namespace holdfast::blob
