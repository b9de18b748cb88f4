#include "inference/batch.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

namespace holdfast::inference {
namespace {

TensorInfo info(std::vector<int64_t> shape) {
  TensorInfo made;
  made.shape = std::move(shape);
  return made;
}

TensorView view(std::string_view name, const std::vector<float>& values, int64_t columns) {
  TensorView made;
  made.name = name;
  made.shape = {static_cast<int64_t>(values.size()) / columns, columns};
  made.data = std::as_bytes(std::span(values));
  return made;
}

Tensor tensor(const std::vector<float>& values, std::vector<int64_t> shape) {
  Tensor made;
  made.name = "y";
  made.shape = std::move(shape);
  made.data.resize(values.size() * sizeof(float));
  std::memcpy(made.data.data(), values.data(), made.data.size());
  return made;
}

std::vector<float> floats(ByteView bytes) {
  std::vector<float> out(bytes.size() / sizeof(float));
  std::memcpy(out.data(), bytes.data(), bytes.size());
  return out;
}

TEST(Batch, OnlyWhereEveryFirstSizeIsFree) {
  Signature signature;
  signature.inputs = {info({-1, 3})};
  signature.outputs = {info({-1}), info({-1, 4})};
  EXPECT_TRUE(can_merge(signature));
  signature.outputs.push_back(info({1, 4}));
  EXPECT_FALSE(can_merge(signature));
  signature.outputs.back() = info({});
  EXPECT_FALSE(can_merge(signature));
  signature.outputs.clear();
  EXPECT_FALSE(can_merge(signature));
}

TEST(Batch, RowsAreCountedWhereAllInputsHaveTheSame) {
  const std::vector<float> four(4), six(6);
  EXPECT_EQ(rows_of({view("a", four, 2), view("b", six, 3)}), 2u);
  EXPECT_EQ(rows_of({view("a", four, 2), view("b", six, 2)}), 0u);
  EXPECT_EQ(rows_of({view("a", {}, 2)}), 0u);
  TensorView scalar;
  EXPECT_EQ(rows_of({scalar}), 0u);
}

TEST(Batch, OtherColumnsOrNamesOrTypesAreAnotherKind) {
  const std::vector<float> six(6);
  EXPECT_TRUE(same_kind({view("a", six, 3)}, {view("a", six, 3)}));
  EXPECT_FALSE(same_kind({view("a", six, 3)}, {view("a", six, 2)}));
  EXPECT_FALSE(same_kind({view("a", six, 3)}, {view("b", six, 3)}));
  TensorView other = view("a", six, 3);
  other.type = Datatype::int32;
  EXPECT_FALSE(same_kind({view("a", six, 3)}, {other}));
}

TEST(Batch, MergedAndSplitEveryoneHasItsRows) {
  const std::vector<float> one = {1, 2}, two = {3, 4, 5, 6};
  const Inputs first = {view("x", one, 2)}, second = {view("x", two, 2)};
  const std::vector<const Inputs*> requests = {&first, &second};
  const Merged merged = merge_rows(requests);
  ASSERT_EQ(merged.inputs[0].shape, (std::vector<int64_t>{3, 2}));
  EXPECT_EQ(floats(merged.owned[0]), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  const std::vector<uint64_t> rows = {1, 2};
  const auto parts = split_rows({tensor({1, 2, 3, 4, 5, 6}, {3, 2})}, rows);
  ASSERT_TRUE(parts);
  EXPECT_EQ(floats((*parts)[0][0].data), one);
  EXPECT_EQ(floats((*parts)[1][0].data), two);
  EXPECT_EQ((*parts)[1][0].shape, (std::vector<int64_t>{2, 2}));
}

TEST(Batch, AnswersWithOtherRowsAreNobodys) {
  const std::vector<uint64_t> rows = {1, 2};
  EXPECT_EQ(split_rows({tensor({1, 2}, {2, 1})}, rows).error().code(), Code::internal);
  EXPECT_EQ(split_rows({tensor({1, 2, 3}, {1, 3})}, rows).error().code(), Code::internal);
  EXPECT_EQ(split_rows({tensor({1}, {})}, rows).error().code(), Code::internal);
}

TEST(Batch, RoundingIsNoDisagreement) {
  EXPECT_TRUE(agree({tensor({1, 1000}, {2})}, {tensor({1.00001F, 1000.01F}, {2})}));
  EXPECT_FALSE(agree({tensor({1, 1000}, {2})}, {tensor({1.1F, 1000}, {2})}));
  EXPECT_FALSE(agree({tensor({1}, {1})}, {tensor({1, 1}, {2})}));
  EXPECT_TRUE(agree({tensor({NAN, INFINITY}, {2})}, {tensor({NAN, INFINITY}, {2})}));
  EXPECT_FALSE(agree({tensor({NAN}, {1})}, {tensor({1}, {1})}));
}

}  // namespace
}  // namespace holdfast::inference
