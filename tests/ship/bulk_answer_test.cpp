#include "ship/bulk_answer.h"

#include <gtest/gtest.h>

namespace pmx::ship {
namespace {

using Kind = Verdict::Kind;
using ItemKind = ItemVerdict::Kind;

std::string stored(int status = 201) {
  return "{\"create\":{\"status\":" + std::to_string(status) + "}}";
}
std::string failed(int status, std::string type, std::string reason) {
  return "{\"create\":{\"status\":" + std::to_string(status) + ",\"error\":{\"type\":\"" + type +
         "\",\"reason\":\"" + reason + "\"}}}";
}
const std::string kConflict = failed(409, "version_conflict_engine_exception",
                                     "[x]: version conflict, document already exists");

HttpAnswer answer(int status, std::string body = "") {
  HttpAnswer made;
  made.status = status;
  made.body = std::move(body);
  return made;
}
HttpAnswer bulk(bool errors, std::initializer_list<std::string> items) {
  std::string body = std::string("{\"errors\":") + (errors ? "true" : "false") + ",\"items\":[";
  for (const std::string& item : items) body += (body.ends_with('[') ? "" : ",") + item;
  return answer(200, body + "]}");
}

// Two items: the first is stored, the second has this.
struct ItemRow {
  int status;
  std::string type, reason;
  ItemKind item;
  bool held = false;
};
const ItemRow kItemRows[] = {
    {409, "version_conflict_engine_exception", "document already exists", ItemKind::kDuplicate},
    {409, "resource_already_exists_exception", "index is being made", ItemKind::kRetry},
    {429, "es_rejected_execution_exception", "rejected execution of primary", ItemKind::kRetry},
    {429, "cluster_block_exception",
     "index [a] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark]",
     ItemKind::kRetry},
    {429, "circuit_breaking_exception", "[parent] Data too large", ItemKind::kRetry},
    {500, "exception", "boom", ItemKind::kRetry},
    {503, "unavailable_shards_exception", "primary shard is not active", ItemKind::kRetry},
    {503, "process_cluster_event_timeout_exception", "failed to process", ItemKind::kRetry},
    {408, "timeout_exception", "late", ItemKind::kRetry},
    {400, "document_parsing_exception", "[1:20] failed to parse field [a]", ItemKind::kRefused},
    {400, "mapper_parsing_exception", "failed to parse", ItemKind::kRefused},
    {400, "illegal_argument_exception", "Limit of total fields [1000] has been exceeded",
     ItemKind::kRefused},
    {400, "illegal_argument_exception",
     "Document contains at least one immense term in field=\\\"a\\\" (longer than 32766)",
     ItemKind::kRefused},
    {413, "some_exception", "too large", ItemKind::kRefused},
    {403, "cluster_block_exception", "index [a] blocked by: [FORBIDDEN/8/index write (api)]",
     ItemKind::kRetry, true},
    {403, "security_exception", "action [indices:data/write] is unauthorized", ItemKind::kRetry,
     true},
    {401, "security_exception", "missing credentials", ItemKind::kRetry, true},
    {404, "index_not_found_exception", "no such index [a]", ItemKind::kRetry, true},
    {400, "index_closed_exception", "closed", ItemKind::kRetry, true},
    {400, "invalid_index_name_exception", "Invalid index name [A]", ItemKind::kRetry, true},
    {400, "validation_exception",
     "Validation Failed: 1: this action would add [2] shards, but this cluster currently has "
     "[1000]/[1000] maximum normal shards open;",
     ItemKind::kRetry, true},
    {400, "illegal_argument_exception", "pipeline with id [x] does not exist", ItemKind::kRetry,
     true},
    {400, "illegal_argument_exception", "no write index is defined for alias [a].",
     ItemKind::kRetry, true},
};

TEST(BulkAnswerTest, EveryItemErrorHasItsReaction) {
  for (const ItemRow& row : kItemRows) {
    SCOPED_TRACE(std::to_string(row.status) + " " + row.type + " " + row.reason);
    const std::string bad = failed(row.status, row.type, row.reason);
    const Verdict verdict = judge_bulk(bulk(true, {stored(), bad}), 2);
    if (row.held) {
      EXPECT_EQ(verdict.kind, Kind::kBlocked);
      EXPECT_EQ(verdict.why, std::to_string(row.status) + ": " + row.type + ": " + row.reason);
      EXPECT_FALSE(verdict.backpressure);
    } else {
      ASSERT_EQ(verdict.kind, Kind::kItems);
      ASSERT_EQ(verdict.items.size(), 2U);
      EXPECT_EQ(verdict.items[0].kind, ItemKind::kDelivered);
      EXPECT_EQ(verdict.items[0].reason, "");
      EXPECT_EQ(verdict.items[1].kind, row.item);
      EXPECT_EQ(verdict.items[1].status, row.status);
      EXPECT_EQ(verdict.backpressure, row.item == ItemKind::kRetry);
      if (row.item == ItemKind::kRefused) {
        EXPECT_TRUE(verdict.items[1].reason.starts_with(row.type + ": "));
      }
    }
    // With another that is to be sent again: each for itself, and it is said.
    const Verdict mixed =
        judge_bulk(bulk(true, {bad, failed(429, "es_rejected_execution_exception", "full")}), 2);
    if (row.item == ItemKind::kRetry && !row.held) {
      EXPECT_EQ(mixed.kind, Kind::kRetry);
      continue;
    }
    ASSERT_EQ(mixed.kind, Kind::kItems);
    EXPECT_EQ(mixed.items[0].kind, row.item);
    EXPECT_EQ(mixed.items[1].kind, ItemKind::kRetry);
    EXPECT_NE(mixed.why.find("1 of 2 not for now: 429: es_rejected"), mixed.why.npos) << mixed.why;
    EXPECT_EQ(mixed.why.find("1 of 2 held: " + std::to_string(row.status)) == 0, row.held);
  }
}

struct WholeRow {
  int status;
  std::string body;
  Kind kind;
  bool backpressure;
  std::string why;
};
const WholeRow kWholeRows[] = {
    {401, R"({"error":{"type":"security_exception","reason":"missing credentials"},"status":401})",
     Kind::kBlocked, false, "401: security_exception: missing credentials"},
    {403, R"({"error":{"root_cause":[],"reason":"no right","type":"security_exception"}})",
     Kind::kBlocked, false, "403: security_exception: no right"},
    {404, R"({"error":"no such path"})", Kind::kBlocked, false, "404: no such path"},
    {405, "<html>\nno</html>", Kind::kBlocked, false, "405: <html> no</html>"},
    {400, R"({"error":{"type":"illegal_argument_exception","reason":"unrecognized parameter"}})",
     Kind::kBlocked, false, "400: illegal_argument_exception: unrecognized parameter"},
    {400, "The plain HTTP request was sent to HTTPS port", Kind::kBlocked, false,
     "400: The plain HTTP request was sent to HTTPS port"},
    {400, R"({"error":{"type":"x_content_parse_exception","reason":"bad"}})", Kind::kSplit, false,
     "400: x_content_parse_exception: bad"},
    {301, "", Kind::kBlocked, false, "301"},
    {413, "", Kind::kSplit, false, "413"},
    {408, "", Kind::kRetry, true, "408"},
    {429, R"({"error":{"type":"circuit_breaking_exception","reason":"[parent] full"}})",
     Kind::kRetry, true, "429: circuit_breaking_exception: [parent] full"},
    {500, "", Kind::kRetry, true, "500"},
    {502, "Bad Gateway", Kind::kRetry, true, "502: Bad Gateway"},
    {503, "", Kind::kRetry, true, "503"},
    {504, "", Kind::kRetry, true, "504"},
};

TEST(BulkAnswerTest, EveryStatusHasItsReaction) {
  for (const WholeRow& row : kWholeRows) {
    SCOPED_TRACE(row.status);
    HttpAnswer given = answer(row.status, row.body);
    given.retry_after = std::chrono::seconds(7);
    const Verdict verdict = judge_bulk(given, 2);
    EXPECT_EQ(verdict.kind, row.kind);
    EXPECT_EQ(verdict.backpressure, row.backpressure);
    EXPECT_EQ(verdict.why, row.why);
    EXPECT_EQ(verdict.retry_after, std::chrono::seconds(7));
    EXPECT_TRUE(verdict.items.empty());
  }
}

TEST(BulkAnswerTest, WhatCannotBeSplitIsRefused) {
  const Verdict large = judge_bulk(answer(413), 1);
  ASSERT_EQ(large.kind, Kind::kItems);
  ASSERT_EQ(large.items.size(), 1U);
  EXPECT_EQ(large.items[0].kind, ItemKind::kRefused);
  EXPECT_EQ(large.items[0].status, 413);
  EXPECT_EQ(large.items[0].reason, "too large");
  const Verdict bad =
      judge_bulk(answer(400, R"({"error":{"type":"parse_exception","reason":"bad"}})"), 1);
  ASSERT_EQ(bad.items.size(), 1U);
  EXPECT_EQ(bad.items[0].reason, "parse_exception: bad");
}

TEST(BulkAnswerTest, NoAnswerIsTriedAgain) {
  HttpAnswer none;
  none.error = "connect 127.0.0.1:9200: refused";
  Verdict verdict = judge_bulk(none, 2);
  EXPECT_EQ(verdict.kind, Kind::kRetry);
  EXPECT_EQ(verdict.why, "connect 127.0.0.1:9200: refused");
  EXPECT_FALSE(verdict.backpressure);
  none.sent = true;
  none.error = "timed out";
  EXPECT_TRUE(judge_bulk(none, 2).backpressure);
}

TEST(BulkAnswerTest, WhereNothingFailedAllIsDelivered) {
  EXPECT_EQ(judge_bulk(bulk(false, {stored(), stored(200)}), 2).kind, Kind::kDelivered);
  EXPECT_EQ(judge_bulk(answer(200, R"({"took":30,"errors":false,"items":[{"create":{"_id":"1",)"
                                   R"("status":201}}]})"),
                       1)
                .kind,
            Kind::kDelivered);
  // Not as our filter_path asks for it; read in full then.
  EXPECT_EQ(judge_bulk(answer(200,
                              "{ \"items\" : [ { \"create\" : { \"status\" : 201 } } ],\n"
                              " \"errors\" : false }\n"),
                       1)
                .kind,
            Kind::kDelivered);
  std::string many;
  for (int i = 0; i < 20'000; ++i) many += (i > 0 ? "," : "") + stored();
  EXPECT_EQ(judge_bulk(bulk(false, {many}), 20'000).kind, Kind::kDelivered);
}

TEST(BulkAnswerTest, ADocumentInTheFailureStoreIsDeliveredAndSaysSo) {
  const std::string there = R"({"create":{"status":201,"failure_store":"used"}})";
  const Verdict verdict = judge_bulk(bulk(false, {stored(), there}), 2);
  ASSERT_EQ(verdict.kind, Kind::kItems);
  EXPECT_EQ(verdict.items[0].reason, "");
  EXPECT_EQ(verdict.items[1].kind, ItemKind::kDelivered);
  EXPECT_EQ(verdict.items[1].reason, kFailureStore);
  // Here it says why the document is not there.
  const std::string off = R"({"create":{"status":400,"failure_store":"not_enabled",)"
                          R"("error":{"type":"document_parsing_exception","reason":"x"}}})";
  const Verdict refused = judge_bulk(bulk(true, {stored(), off}), 2);
  ASSERT_EQ(refused.kind, Kind::kItems);
  EXPECT_EQ(refused.items[1].kind, ItemKind::kRefused);
}

TEST(BulkAnswerTest, OnlyDuplicatesIsSuccessToo) {
  const Verdict verdict = judge_bulk(bulk(true, {kConflict, kConflict}), 2);
  ASSERT_EQ(verdict.kind, Kind::kItems);
  for (const ItemVerdict& item : verdict.items) EXPECT_EQ(item.kind, ItemKind::kDuplicate);
  EXPECT_EQ(verdict.why, "");
  EXPECT_FALSE(verdict.backpressure);
}

TEST(BulkAnswerTest, AMixIsJudgedItemByItem) {
  const Verdict verdict = judge_bulk(
      bulk(true, {stored(), kConflict, failed(429, "es_rejected_execution_exception", "full"),
                  failed(400, "document_parsing_exception", "line 1\\nline 2"),
                  failed(503, "unavailable_shards_exception", "gone"),
                  failed(404, "index_not_found_exception", "no such index [a]"),
                  failed(400, "mapper_parsing_exception", "y")}),
      7);
  ASSERT_EQ(verdict.kind, Kind::kItems);
  const ItemKind kinds[] = {ItemKind::kDelivered, ItemKind::kDuplicate, ItemKind::kRetry,
                            ItemKind::kRefused,   ItemKind::kRetry,     ItemKind::kRetry,
                            ItemKind::kRefused};
  ASSERT_EQ(verdict.items.size(), std::size(kinds));
  for (std::size_t i = 0; i < std::size(kinds); ++i) EXPECT_EQ(verdict.items[i].kind, kinds[i]);
  EXPECT_EQ(verdict.items[3].reason, "document_parsing_exception: line 1 line 2");
  EXPECT_TRUE(verdict.backpressure);
  EXPECT_EQ(verdict.why,
            "1 of 7 held: 404: index_not_found_exception: no such index [a]; "
            "2 of 7 refused: 400: document_parsing_exception: line 1 line 2; "
            "2 of 7 not for now: 429: es_rejected_execution_exception: full");
}

TEST(BulkAnswerTest, WhereAllIsHeldOrForLaterTheRequestIs) {
  const std::string missing = failed(404, "index_not_found_exception", "no such index [a]");
  EXPECT_EQ(judge_bulk(bulk(true, {missing, missing}), 2).kind, Kind::kBlocked);
  const std::string full = failed(429, "es_rejected_execution_exception", "full");
  const Verdict later = judge_bulk(bulk(true, {full, full}), 2);
  EXPECT_EQ(later.kind, Kind::kRetry);
  EXPECT_EQ(later.why, "429: es_rejected_execution_exception: full");
  EXPECT_TRUE(later.backpressure);
}

TEST(BulkAnswerTest, AnAnswerThatDoesNotSayItForEachItemIsNone) {
  struct Row {
    std::string body, why;
  };
  const Row rows[] = {
      {"", "200: an empty answer of _bulk"},
      {"ok", "200: not an answer of _bulk: ok"},
      {"{}", "200: not an answer of _bulk: {}"},
      {R"({"errors":false})", R"(200: not an answer of _bulk: {"errors":false})"},
      {R"({"errors":false,"items":[{}]})", R"(200: not an answer of _bulk: {"errors":false,)"
                                           R"("items":[{}]})"},
      {R"({"errors":false,"items":[1,2]})", "200: not an answer of _bulk: "},
      {R"({"errors":true,"items":[{"create":{"status":"x"}},2]})", "200: not an answer of _bulk: "},
      {R"({"errors":false,"items":[]})", "200: an answer for 0 items of 2"},
      {bulk(false, {stored()}).body, "200: an answer for 1 items of 2"},
      {bulk(true, {stored(), stored(), stored()}).body, "200: an answer for 3 items of 2"},
  };
  for (const Row& row : rows) {
    const Verdict verdict = judge_bulk(answer(200, row.body), 2);
    EXPECT_EQ(verdict.kind, Kind::kRetry) << row.body;
    EXPECT_EQ(verdict.why.substr(0, row.why.size()), row.why);
    EXPECT_TRUE(verdict.items.empty());
  }
}

TEST(BulkAnswerTest, EveryCutOfAnAnswerIsTriedAgain) {
  const HttpAnswer answers[] = {
      bulk(false, {stored(), stored()}),
      bulk(true, {kConflict, failed(400, "document_parsing_exception", "a \\\"b\\\"")})};
  for (const HttpAnswer& whole : answers)
    for (std::size_t cut = 0; cut < whole.body.size(); ++cut)
      EXPECT_EQ(judge_bulk(answer(200, whole.body.substr(0, cut)), 2).kind, Kind::kRetry)
          << "cut at byte " << cut;
}

TEST(BulkAnswerTest, ReasonsAreBounded) {
  std::string reason;
  while (reason.size() < 5000) reason += "\xE2\x82\xAC";
  const Verdict verdict =
      judge_bulk(bulk(true, {stored(), failed(400, "document_parsing_exception", reason)}), 2);
  ASSERT_EQ(verdict.items.size(), 2U);
  EXPECT_LE(verdict.items[1].reason.size(), 503U);
  EXPECT_TRUE(verdict.items[1].reason.ends_with("\xE2\x82\xAC…"));
}

}  // namespace
}  // namespace pmx::ship
