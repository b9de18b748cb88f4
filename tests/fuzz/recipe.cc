// Recipes, and so the strict YAML reader that every configuration uses.
#include "transform/recipe.h"

using namespace holdfast;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto recipe = transform::parse_recipe(text, "fuzz")) (void)recipe->shape();
  return 0;
}
