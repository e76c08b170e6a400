// SPDX-License-Identifier: BSD-3-Clause
// Parameters of requests.
#include "web/query.h"

#include <gtest/gtest.h>

namespace drip::web {
namespace {

using Texts = std::vector<std::string>;

TEST(Query, IsDecoded) {
  const Query query("a=1&b=%2Fx%3d+&level=0,1,&level=2,3,%41&empty=&flag&&bad=%4&worse=%zz");
  EXPECT_EQ(query.get("a"), "1");
  EXPECT_EQ(query.get("b"), "/x=+");
  EXPECT_EQ(query.all("level"), (Texts{"0,1,", "2,3,A"}));
  EXPECT_EQ(query.get("empty"), "");
  EXPECT_EQ(query.get("flag"), "");
  EXPECT_EQ(query.get("bad"), "%4");
  EXPECT_EQ(query.get("worse"), "%zz");
  EXPECT_EQ(query.get("absent"), std::nullopt);
}

TEST(Query, NumbersHaveARange) {
  EXPECT_EQ(*Query("n=7").number("n", 1, 0, 10), 7);
  EXPECT_EQ(*Query("").number("n", 1, 0, 10), 1);
  for (const char* text : {"n=11", "n=-1", "n=", "n=x", "n=1x"}) {
    const auto number = Query(text).number("n", 1, 0, 10);
    ASSERT_FALSE(number.ok()) << text;
    EXPECT_TRUE(std::string(number.status().message()).ends_with(" is not allowed: 0 to 10"))
        << number.status();
  }
}

TEST(Levels, AreRead) {
  const auto levels = parse_levels({"0,100,", "200,50,a,b"});
  ASSERT_TRUE(levels.ok()) << levels.status();
  ASSERT_EQ(levels->size(), 2U);
  EXPECT_EQ((*levels)[0].limit, 100U);
  EXPECT_EQ((*levels)[0].parent, "");
  EXPECT_EQ((*levels)[1].offset, 200U);
  EXPECT_EQ((*levels)[1].parent, "a,b");
}

TEST(Levels, AreBounded) {
  for (const char* text : {"", "0", "0,1", "x,1,", "0,x,", "-1,1,", "0,0,", "0,501,"}) {
    EXPECT_FALSE(parse_levels({text}).ok()) << text;
  }
  EXPECT_TRUE(parse_levels(Texts(kMostLevels, "0,1,a")).ok());
  EXPECT_FALSE(parse_levels(Texts(kMostLevels + 1, "0,1,a")).ok());
  EXPECT_TRUE(parse_levels(Texts(4, "0,500,a")).ok());
  EXPECT_FALSE(parse_levels(Texts(5, "0,500,a")).ok());
}

}  // namespace
}  // namespace drip::web
