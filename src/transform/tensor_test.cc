#include "transform/tensor.h"

#include <gtest/gtest.h>

namespace holdfast::transform {
namespace {

Tensor some(Type type, std::vector<int64_t> shape) {
  Tensor tensor;
  tensor.type = type;
  tensor.shape = std::move(shape);
  tensor.data.resize(*count_of(tensor.shape) * size_of(type));
  for (size_t i = 0; i < tensor.data.size(); ++i) tensor.data[i] = static_cast<std::byte>(i * 7);
  return tensor;
}

TEST(Npy, HeaderIsTheOneOfTheFormat) {
  const std::string header = npy_header(Type::float32, {2, 64});
  EXPECT_EQ(header.size() % 64, 0u);
  EXPECT_EQ(header.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
  EXPECT_EQ(header.substr(10, 58), "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 64),");
  EXPECT_EQ(header.back(), '\n');
  EXPECT_NE(npy_header(Type::uint8, {5}).find("'shape': (5,)"), std::string::npos);
  EXPECT_NE(npy_header(Type::float64, {}).find("'shape': ()"), std::string::npos);
}

TEST(Npy, ReadsWhatItWrote) {
  for (const Type type : {Type::uint8, Type::float32, Type::float64}) {
    for (const std::vector<int64_t>& shape :
         {std::vector<int64_t>{}, {3}, {2, 3}, {0, 4}, {2, 3, 4, 5}}) {
      const Tensor tensor = some(type, shape);
      const auto again = from_npy(as_bytes(to_npy(tensor)));
      ASSERT_TRUE(again) << again.error().message();
      EXPECT_EQ(again->type, type);
      EXPECT_EQ(again->shape, shape);
      EXPECT_EQ(again->data, tensor.data);
    }
  }
}

TEST(Npy, AnyCutIsAnError) {
  const std::string file = to_npy(some(Type::float32, {2, 2}));
  for (size_t size = 0; size < file.size(); ++size) {
    const auto tensor = from_npy(as_bytes(file).first(size));
    ASSERT_FALSE(tensor) << size;
    EXPECT_EQ(tensor.error().code(), Code::invalid_argument) << size;
  }
}

TEST(Npy, RefusesWhatItDoesNotRead) {
  const auto changed = [](std::string_view from, std::string_view to) {
    std::string file = to_npy(some(Type::float32, {2, 2}));
    file.replace(file.find(from), from.size(), to);
    return from_npy(as_bytes(file)).error().code();
  };
  EXPECT_EQ(changed("<f4", "<c8"), Code::unsupported);
  EXPECT_EQ(changed("False", "True "), Code::unsupported);
  EXPECT_EQ(changed(std::string_view("Y\x01", 2), "Y\x02"), Code::unsupported);
  EXPECT_EQ(changed("(2, 2)", "(2, x)"), Code::invalid_argument);
  EXPECT_EQ(changed("(2, 2)", "(2, 9)"), Code::invalid_argument);
}

TEST(Count, IsBounded) {
  EXPECT_EQ(*count_of({2, 3}), 6u);
  EXPECT_EQ(*count_of({}), 1u);
  EXPECT_EQ(*count_of({0, 1 << 30}), 0u);
  EXPECT_EQ(count_of({1 << 30, 1 << 30}).error().code(), Code::too_large);
  EXPECT_EQ(count_of({-1}).error().code(), Code::invalid_argument);
}

}  // namespace
}  // namespace holdfast::transform
