// SPDX-License-Identifier: BSD-3-Clause
// Requests and their answers: the page, its data, what is refused, and the headers of all.
#include "web/responder.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "control/recorder/sampled_fixture.h"
#include "web/assets.h"
#include "web_fixture.h"

namespace drip::web {
namespace {

using nlohmann::json;

class ResponderTest : public WebFixture {
 protected:
  http::Response ask(const std::string& path, const std::string& query = "",
                     const std::string& host = "localhost:8080",
                     const std::string& none_match = "") {
    return Responder(node_->context(), recorder_, true)
        .answer({path, query, {{"Host", host}, {"If-None-Match", none_match}}});
  }
  json get(const std::string& name, const std::string& query = "", int code = 200) {
    const http::Response response = ask("/api/" + name, query);
    EXPECT_EQ(response.code, code) << response.body;
    EXPECT_EQ(response.type, "application/json");
    EXPECT_EQ(header(response, "Cache-Control"), "no-store");
    return json::parse(response.body);
  }
  static std::string header(const http::Response& response, const std::string& name) {
    for (const auto& [its_name, value] : response.headers) {
      if (its_name == name) return value;
    }
    return "";
  }
  void make_tree() {
    configure("bucket_id: 'up' inner: true leak_rate_bps: 8000000");
    for (const char* id : {"a", "b", "c"}) {
      configure(std::string("bucket_id: '") + id +
                "' capacity: 10 parent_id: 'up' leak_rate_bps: 800000 guarantee_bps: 8000");
    }
    recorder_.step();
    offer("b", 3);
    step(recorder_);
  }

  Recorder recorder_{node_->context()};
};

TEST_F(ResponderTest, ThePageComesWithItsFiles) {
  const http::Response page = ask("/");
  EXPECT_EQ(page.code, 200);
  EXPECT_EQ(page.type, "text/html; charset=utf-8");
  for (const char* path : {"/main.js", "/style.css", "/chart.min.js", "/drip.svg"}) {
    EXPECT_EQ(ask(path).code, 200) << path;
  }
  for (const char* path : {"/index.html", "/none", "/../etc/passwd", "/page/main.js", "/api", ""}) {
    EXPECT_EQ(ask(path).code, 404) << path;
  }
}

// What the page asks for is there, and nothing of another machine.
TEST_F(ResponderTest, NothingIsAskedOfOthers) {
  std::string ours;
  for (const Asset& asset : assets()) {
    if (asset.path.find("chart") == std::string_view::npos) ours += asset.bytes;
  }
  EXPECT_EQ(ours.find("https://"), std::string::npos);
  for (const char* unwanted : {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write",
                               "eval(", " style=\"", "onclick=\""}) {
    EXPECT_EQ(ours.find(unwanted), std::string::npos) << unwanted;
  }
  for (std::size_t at = 0; (at = ours.find("from \"", at)) != std::string::npos; ++at) {
    const std::string path = ours.substr(at + 6, ours.find('"', at + 6) - at - 6);
    EXPECT_EQ(ask(path).code, 200) << path;
  }
}

TEST_F(ResponderTest, AFileThatHasNotChangedIsNotSentAgain) {
  const std::string etag = header(ask("/main.js"), "ETag");
  EXPECT_EQ(etag.size(), 18U);
  const http::Response again = ask("/main.js", "", "localhost", etag);
  EXPECT_EQ(again.code, 304);
  EXPECT_TRUE(again.body.empty());
  EXPECT_EQ(ask("/main.js", "", "localhost", "\"other\"").code, 200);
  EXPECT_EQ(header(again, "Cache-Control"), "no-cache");
}

TEST_F(ResponderTest, EveryAnswerHasTheHeadersOfSecurity) {
  for (const auto& response :
       {ask("/"), ask("/none"), ask("/api/node"), ask("/", "", "evil.example")}) {
    const std::string policy = header(response, "Content-Security-Policy");
    EXPECT_TRUE(policy.starts_with("default-src 'none'; script-src 'self'; ")) << policy;
    EXPECT_NE(policy.find("frame-ancestors 'none'"), std::string::npos);
    EXPECT_EQ(policy.find("unsafe"), std::string::npos);
    EXPECT_EQ(header(response, "X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(header(response, "X-Frame-Options"), "DENY");
    EXPECT_EQ(header(response, "Referrer-Policy"), "no-referrer");
    EXPECT_EQ(header(response, "Access-Control-Allow-Origin"), "");
  }
}

TEST_F(ResponderTest, AForeignNameIsRefusedOnTheLoopbackInterface) {
  for (const char* path : {"/", "/api/node", "/main.js"}) {
    EXPECT_EQ(ask(path, "", "evil.example:8080").code, 421);
    EXPECT_EQ(ask(path, "", "").code, 421);
    const Responder open(node_->context(), recorder_, false);
    EXPECT_EQ(open.answer({path, "", {{"Host", "shaper.example"}}}).code, 200);
  }
}

TEST_F(ResponderTest, ALevelHasItsRows) {
  make_tree();
  json tree = get("tree", "level=0,100,&level=1,1,up&level=0,9,gone");
  ASSERT_EQ(tree["levels"].size(), 2U);
  EXPECT_EQ(tree["levels"][0]["total"], 1);
  const json up = tree["levels"][0]["rows"][0];
  EXPECT_EQ(up["id"], "up");
  EXPECT_EQ(up["kind"], "inner");
  EXPECT_EQ(up["children"], 3);
  EXPECT_EQ(up["ceiling_bps"], 8e6);
  EXPECT_EQ(up["ceiling_pps"], nullptr);
  EXPECT_EQ(tree["levels"][1]["total"], 3);
  EXPECT_EQ(tree["levels"][1]["offset"], 1);
  ASSERT_EQ(tree["levels"][1]["rows"].size(), 1U);
  const json b = tree["levels"][1]["rows"][0];
  EXPECT_EQ(b["id"], "b");
  EXPECT_EQ(b["parent"], "up");
  EXPECT_EQ(b["bps"], 12'000);
  EXPECT_EQ(b["pps"], 1.5);
  EXPECT_EQ(b["guarantee_bps"], 8000);
  EXPECT_EQ(b["state"], "passing");
  tree = get("tree", "level=0,1,up&sort=rate");
  EXPECT_EQ(tree["levels"][0]["rows"][0]["id"], "b");
  get("tree", "level=0,501,", 400);
  get("tree", "level=0,1,&sort=size", 400);
}

TEST_F(ResponderTest, OneBucketAndItsHistory) {
  make_tree();
  const json bucket = get("bucket", "id=b");
  EXPECT_EQ(bucket["path"], json({"up"}));
  EXPECT_EQ(bucket["counts"]["sent"], 3);
  EXPECT_EQ(bucket["settings"]["capacity"], 10);
  EXPECT_EQ(bucket["settings"]["queue"]["kind"], "fifo");
  EXPECT_FALSE(bucket.contains("share"));
  const json history = get("history", "id=b");
  EXPECT_EQ(history["first"], 1);
  EXPECT_EQ(history["next"], 2);
  ASSERT_EQ(history["bps"].size(), 1U);
  EXPECT_NEAR(history["bps"][0].get<double>(), 12'000, 5);
  EXPECT_EQ(history["times_ms"].size(), 1U);
  EXPECT_TRUE(history["lost_per_second"].empty());
  EXPECT_TRUE(history["round_trips"].empty());
  EXPECT_EQ(get("history", "id=b&from=2")["bps"].size(), 0U);
  // From a reader that knew another dripd.
  EXPECT_EQ(get("history", "id=b&from=900")["bps"].size(), 1U);
  EXPECT_EQ(get("history", "id=a")["bps"].size(), 0U);
  EXPECT_EQ(get("history")["bps"].size(), 2U);
  EXPECT_NE(get("bucket", "id=none", 404)["error"].get<std::string>().find("none"),
            std::string::npos);
  get("history", "id=none", 404);
  get("history", "id=b&from=x", 400);
  get("nothing", "", 404);
}

TEST_F(ResponderTest, ABucketOfAFlow) {
  configure("bucket_id: 'slot' capacity: 10 leak_rate_bps: 8000");
  call(*shaper_, &v1::ShaperService::Stub::SetRule,
       "rule { rule_id: 'homes' per_flow { key: FLOW_KEY_SOURCE max_flows: 4 overflow: "
       "FLOW_OVERFLOW_PASS bucket { leak_rate_bps: 16000 capacity: 7 } } }");
  expect_ok();
  FlowKey key;
  key.kind = FlowKeyKind::kSource;
  key.ip_version = IpVersion::kV4;
  key.src_address = {10, 0, 0, 1};
  key.prefix_length = 32;
  engine_.flow_places = {{key, ref("slot")}};
  engine_.flows = {{to_text(key), 0, engine_.read(ref("slot"))}};
  recorder_.step();
  offer("slot", 2);
  step(recorder_);
  const json bucket = get("bucket", "id=homes/10.0.0.1/32");
  EXPECT_EQ(bucket["row"]["id"], "homes/10.0.0.1/32");
  EXPECT_EQ(bucket["row"]["ceiling_bps"], 16000);
  EXPECT_EQ(bucket["row"]["bps"], 8000);
  EXPECT_EQ(bucket["settings"]["capacity"], 7);
  EXPECT_EQ(get("history", "id=homes/10.0.0.1/32")["bps"].size(), 1U);
  EXPECT_EQ(get("search", "q=homes/")["rows"].size(), 1U);
  // Gone since the last step.
  engine_.flows.clear();
  get("bucket", "id=homes/10.0.0.1/32", 404);
}

TEST_F(ResponderTest, SearchAndTop) {
  make_tree();
  EXPECT_EQ(get("search", "q=b")["rows"][0]["id"], "b");
  EXPECT_EQ(get("search", "q=&limit=2")["total"], 4);
  EXPECT_EQ(get("search", "q=&limit=2")["rows"].size(), 2U);
  EXPECT_EQ(get("top", "by=rate")["rows"].size(), 1U);
  EXPECT_EQ(get("top", "by=loss")["rows"].size(), 0U);
  get("top", "limit=0", 400);
}

TEST_F(ResponderTest, TheNode) {
  make_tree();
  engine_.port_stats = {{.name = "lan", .link_up = false}};
  recorder_.step();
  const json node = get("node");
  EXPECT_EQ(node["node"], "n1");
  EXPECT_EQ(node["version"], "1.2.3");
  EXPECT_EQ(node["buckets"], 4);
  EXPECT_EQ(node["cluster"], nullptr);
  EXPECT_EQ(node["warnings"], json({"no hugepages", "port lan has no link"}));
}

// Texts that others choose are values of JSON, whatever is in them.
TEST_F(ResponderTest, HostileTextsAreValues) {
  const std::string hostile = "</script><script>alert(1)</script>\"'\\\n\xff";
  engine_.port_stats = {{.name = hostile, .link_up = true}};
  recorder_.step();
  const http::Response response = ask("/api/node");
  const json node = json::parse(response.body);
  const std::string name = node["ports"][0]["name"].get<std::string>();
  EXPECT_TRUE(name.starts_with("</script><script>alert(1)</script>\"'\\\n")) << name;
  EXPECT_EQ(header(response, "X-Content-Type-Options"), "nosniff");
}

class SampledResponderTest : public control::SampledFixture {
 protected:
  json history(const std::string& query) {
    const http::Response response = Responder(node_->context(), recorder_, true)
                                        .answer({"/api/history", query, {{"Host", "localhost"}}});
    EXPECT_EQ(response.code, 200) << response.body;
    return json::parse(response.body)["round_trips"];
  }

  Recorder recorder_{node_->context()};
};

TEST_F(SampledResponderTest, AHistoryHasTheRoundTripsOfBothSides) {
  recorder_.step();
  for (const int ms : {0, 25}) {
    if (ms > 0) round_trip(Duration{ms * 1'000'000});
    offer("down", 1);
    offer("up", 1);
    step(recorder_);
  }
  const json down = history("id=down");
  EXPECT_FALSE(down.contains("to_source"));
  for (const char* quantile : {"p50_ns", "p90_ns"}) {
    const json list = down["to_destination"][quantile];
    ASSERT_EQ(list.size(), 2U) << down;
    EXPECT_EQ(list[0], 0);
    EXPECT_NEAR(list[1].get<double>(), 25e6, 9000);
  }
  EXPECT_EQ(history("id=up")["to_source"]["p50_ns"].size(), 2U);
  EXPECT_EQ(history("id=down&from=2")["to_destination"]["p50_ns"].size(), 1U);
  EXPECT_TRUE(history("").empty());
}

}  // namespace
}  // namespace drip::web
