#include "config/sink_config.h"

#include <gtest/gtest.h>

namespace pmx::config {
namespace {

using namespace std::chrono_literals;

SinkSpec spec_of(const Json& written) {
  const Result<ConfiguredSink> sink = sink_from_json(written);
  EXPECT_TRUE(sink) << sink.error().message();
  return sink ? sink->spec : SinkSpec();
}
std::string refusal(const Json& written) {
  const Result<ConfiguredSink> sink = sink_from_json(written);
  return sink ? "taken" : sink.error().message();
}
Json object_of(std::string_view text) { return *Json::parse(text); }

struct UrlCase {
  const char* text;
  SinkType type;
  const char* url;
  const char* index;
  const char* name;
};
constexpr std::array kUrls{
    UrlCase{"loki+http://127.0.0.1", SinkType::kLoki, "http://127.0.0.1:3100", "",
            "loki-127.0.0.1"},
    UrlCase{"loki+https://Logs.example.org/", SinkType::kLoki, "https://logs.example.org:443", "",
            "loki-logs.example.org"},
    UrlCase{"loki+http://h:80/base/loki/api/v1/push", SinkType::kLoki, "http://h:80/base", "",
            "loki-h"},
    UrlCase{"loki+http://[::1]:3100", SinkType::kLoki, "http://[::1]:3100", "", "loki---1"},
    UrlCase{"elasticsearch+https://es:9200/logs-app-default", SinkType::kElasticsearch,
            "https://es:9200", "logs-app-default", "elasticsearch-es"},
    UrlCase{"es+http://es/proxy/app-%25Y.%25m.%25d", SinkType::kElasticsearch,
            "http://es:9200/proxy", "app-%Y.%m.%d", "elasticsearch-es"},
    UrlCase{"es+http://es/app-%Y.%m.%d", SinkType::kElasticsearch, "http://es:9200", "app-%Y.%m.%d",
            "elasticsearch-es"},
    UrlCase{"opensearch+http://os", SinkType::kOpenSearch, "http://os:9200", "logs-pmx-default",
            "opensearch-os"},
    UrlCase{"vl+http://vl", SinkType::kVictoriaLogs, "http://vl:9428", "", "victorialogs-vl"},
    UrlCase{"victorialogs+https://vl/insert/jsonline", SinkType::kVictoriaLogs, "https://vl:443",
            "", "victorialogs-vl"},
    UrlCase{"http+https://in.example.org/v1/lines", SinkType::kHttp,
            "https://in.example.org:443/v1/lines", "", "http-in.example.org"},
    UrlCase{"http+http://h", SinkType::kHttp, "http://h:80", "", "http-h"},
    UrlCase{"file:///var/log/all%20lines.ndjson", SinkType::kFile, "/var/log/all lines.ndjson", "",
            "file-all-lines.ndjson"},
};

TEST(SinkConfigTest, ReadsEveryFormOfUrl) {
  for (const UrlCase& row : kUrls) {
    const SinkSpec spec = spec_of(row.text);
    EXPECT_EQ(spec.type, row.type) << row.text;
    EXPECT_EQ(spec.urls, (std::vector<std::string>{row.url})) << row.text;
    EXPECT_EQ(spec.index, row.index) << row.text;
    EXPECT_EQ(spec.name, row.name) << row.text;
  }
}

TEST(SinkConfigTest, TakesEveryUrlThroughJsonUnchanged) {
  for (const UrlCase& row : kUrls)
    EXPECT_EQ(spec_of(sink_to_json(spec_of(row.text))), spec_of(row.text)) << row.text;
}

TEST(SinkConfigTest, TellsDataStreamsFromIndexes) {
  const auto is_stream = [](const std::string& rest) {
    return spec_of("es+http://h/" + rest).data_stream;
  };
  EXPECT_TRUE(is_stream("logs-app-default"));
  EXPECT_TRUE(is_stream("lines"));
  EXPECT_FALSE(is_stream("app-%25Y.%25m.%25d"));
  EXPECT_TRUE(is_stream("logs-app-%25Y"));
  EXPECT_FALSE(is_stream("logs-app-default?data_stream=false"));
}

TEST(SinkConfigTest, ReadsOptionsInAUrlByTheirFullAndShortNames) {
  const SinkSpec spec = spec_of(
      "loki+http://h?tenant=a&labels.team=x&labels.dc=fra&level=warning&only=a%2Bb&only=c,d"
      "&max_age=5s&filter.rate_lines=100&maxBytes=64K&fields.path=%5E/api&label_fields=a,b"
      "&redact.builtin=true");
  EXPECT_EQ(spec.tenant, "a");
  EXPECT_EQ(spec.labels, (std::map<std::string, std::string>{{"dc", "fra"}, {"team", "x"}}));
  EXPECT_EQ(spec.filter.level, Severity::kWarn);
  EXPECT_EQ(spec.filter.only, (std::vector<std::string>{"a+b", "c,d"}));
  EXPECT_EQ(spec.batch.max_age, 5s);
  EXPECT_EQ(spec.batch.max_bytes, 65536U);
  EXPECT_EQ(spec.filter.rate_lines, 100U);
  EXPECT_EQ(spec.filter.fields, (std::map<std::string, std::string>{{"path", "^/api"}}));
  EXPECT_EQ(spec.label_fields, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(spec.redact.builtin);
}

TEST(SinkConfigTest, TakesAPasswordOutOfTheUrlAndWarns) {
  const Result<ConfiguredSink> sink = sink_from_text("es+https://u%40x:p%3Aw@ss@h/lines");
  ASSERT_TRUE(sink) << sink.error().message();
  EXPECT_EQ(sink->secret, "p:w@ss");
  EXPECT_EQ(sink->spec.auth.kind, SinkAuth::Kind::kBasic);
  EXPECT_EQ(sink->spec.auth.user, "u@x");
  EXPECT_EQ(sink->spec.urls.front(), "https://h:9200");
  ASSERT_EQ(sink->warnings.size(), 1U);
  EXPECT_EQ(sink->warnings.front().find("p:w"), std::string::npos);
  EXPECT_TRUE(sink_from_text("es+https://u@h")->warnings.empty());
}

constexpr const char* kFull =
    R"({
  "type": "es", "urls": ["http://a", "https://b:1/x"], "name": "central", "index": "app-%Y.%m.%d",
  "pipeline": "p", "labels": {"team": "x", "nr": 7}, "labelFields": ["tenant_id"],
  "compression": "gzip", "multiline": false, "strip_ansi": "false", "headers": {"X-Scope": "y"},
  "timeout": "5s", "auth": {"type": "api_key", "api_key": "s3cret"},
  "tls": {"ca_file": "/ca.pem", "certificate_file": "/c.pem", "key_file": "/k.pem",
          "ca_fingerprint": "AA:)"
    R"(BBAABBAABBAABBAABBAABBAABBAABBAABBAABBAABBAABBAABBAABBAABBAABB", "server_name": "es",
          "insecure": true},
  "batch": {"max_bytes": "2M", "max_lines": 500, "max_age": 250},
  "filter": {"stream": "err", "level": "info", "only": "a b", "drop": ["x", "y z"],
             "fields": {"path": "^/"}, "sample": 0.25, "sample_keeps": "error", "rate_lines": 9},
  "redact": {"builtin": true, "patterns": ["[0-9]{9}"], "keys": ["ssn", "pin"]}})";

TEST(SinkConfigTest, ReadsEveryOptionOfAnObject) {
  const Result<ConfiguredSink> sink = sink_from_json(object_of(kFull));
  ASSERT_TRUE(sink) << sink.error().message();
  const SinkSpec& spec = sink->spec;
  EXPECT_EQ(sink->secret, "s3cret");
  EXPECT_EQ(spec.urls, (std::vector<std::string>{"http://a:9200", "https://b:1/x"}));
  EXPECT_FALSE(spec.data_stream);
  EXPECT_EQ(spec.labels.at("nr"), "7");
  EXPECT_EQ(spec.label_fields, (std::vector<std::string>{"tenant_id"}));
  EXPECT_FALSE(spec.multiline);
  EXPECT_FALSE(spec.strip_ansi);
  EXPECT_EQ(spec.timeout, 5s);
  EXPECT_EQ(spec.auth.kind, SinkAuth::Kind::kApiKey);
  EXPECT_EQ(spec.tls.ca_fingerprint.substr(0, 4), "aabb");
  EXPECT_TRUE(spec.tls.insecure);
  EXPECT_EQ(spec.batch.max_age, 250ms);
  EXPECT_EQ(spec.filter.stream, StreamKind::kErr);
  EXPECT_EQ(spec.filter.only, (std::vector<std::string>{"a b"}));
  EXPECT_EQ(spec.filter.sample, 0.25);
  EXPECT_EQ(spec.filter.sample_keeps, Severity::kError);
  EXPECT_EQ(spec.redact.keys, (std::vector<std::string>{"ssn", "pin"}));
}

TEST(SinkConfigTest, TakesEveryOptionThroughJsonUnchangedButTheSecret) {
  const SinkSpec spec = spec_of(object_of(kFull));
  const Json json = sink_to_json(spec);
  EXPECT_EQ(json.dump().find("s3cret"), std::string::npos);
  EXPECT_EQ(spec_of(json), spec);
  EXPECT_EQ(spec_of(*Json::parse(json.dump())), spec);
}

TEST(SinkConfigTest, KeepsWhereASecretIsInJson) {
  for (const char* auth : {R"({"user":"u","password_env":"PW"})", R"({"token_file":"/run/t"})",
                           R"({"type":"bearer"})", R"({"api_key_env":"KEY"})", R"({"user":"u"})"}) {
    Json json = Json::object({{"type", "es"}, {"url", "http://h"}, {"auth", object_of(auth)}});
    EXPECT_EQ(spec_of(sink_to_json(spec_of(json))), spec_of(json)) << auth;
    EXPECT_NE(spec_of(json).auth.kind, SinkAuth::Kind::kNone) << auth;
  }
}

TEST(SinkConfigTest, WritesOnlyWhatIsNotTheDefault) {
  EXPECT_EQ(sink_to_json(spec_of("loki+http://h?level=warn")).dump(),
            R"({"type":"loki","url":"http://h:3100","name":"loki-h","filter":{"level":"warn"}})");
}

TEST(SinkConfigTest, SaysInOneLineWhatIsWrong) {
  struct Wrong {
    const char* written;
    const char* line;
  };
  constexpr std::array kWrong{
      Wrong{R"("loki+http://h?level=loud")",
            "sink loki+http://h: filter.level: \"loud\" is not allowed: trace, debug, info, warn, "
            "error, fatal"},
      Wrong{R"("loki+http://h?tennant=a")",
            "sink loki+http://h: \"tennant\" is no option (did you mean \"tenant\"?)"},
      Wrong{R"("loki+http://h?index=a")",
            "sink loki+http://h: index: not for loki, only for elasticsearch, opensearch"},
      Wrong{R"("loki+http://h?type=file")", "sink loki+http://h: type: the URL itself says it"},
      Wrong{R"("loki://h")", "sink loki://h: say how to reach it: loki+http:// or loki+https://"},
      Wrong{R"("http://h")",
            "sink http://h: which store is it? loki+http://…, or http+http://… for NDJSON to any "
            "URL"},
      Wrong{R"("lokki+http://h")",
            "sink lokki+http://h: \"lokki\" is no store: loki, elasticsearch (es), opensearch, "
            "victorialogs (vl), http"},
      Wrong{R"("loki+http://")", "sink loki+http://: the URL has no host"},
      Wrong{R"("loki+http://h:99999")",
            "sink loki+http://h:99999: the URL's port is none: a number from 1 to 65535"},
      Wrong{R"({"url":"loki+http://h","filter":{"only":"("}})",
            "sink loki+http://h: filter.only: \"(\" is no pattern of RE2: missing ): ("},
      Wrong{R"({"name":"x","type":"loki"})", "sink x: url: a sink needs one"},
      Wrong{R"({"name":"x","type":"splunk","url":"http://h"})",
            "sink x: type: \"splunk\" is not allowed: loki, elasticsearch, opensearch, "
            "victorialogs, http, file"},
      Wrong{R"({"name":"x","type":"loki","url":"es+http://h"})",
            "sink x: type: loki, but the URL says elasticsearch"},
      Wrong{R"({"name":"x","url":"es+http://h","filter":{"levle":"warn"}})",
            "sink x: \"filter.levle\" is no option (did you mean \"filter.level\"?)"},
      Wrong{R"({"name":"x","url":"es+http://h","index":"Lines"})",
            "sink x: index: \"Lines\" is not allowed: lower case without \\ / * ? \" < > | , # and "
            "spaces"},
      Wrong{R"({"name":"x","url":"es+http://h","compression":"zstd"})",
            "sink x: compression: elasticsearch does not unpack zstd: none, gzip"},
      Wrong{R"({"name":"x","url":"es+http://h","tls":{"key_file":"/k"}})",
            "sink x: tls.certificate_file and tls.key_file: each needs the other"},
      Wrong{R"({"name":"x","url":"es+http://h","batch":{"max_bytes":"1"}})",
            "sink x: batch.max_bytes: \"1\" is not allowed: a size from 4K to 64M"},
      Wrong{R"({"name":"x","url":"loki+http://h","labels":{"a-b":"c"}})",
            "sink x: labels: {\"a-b\":\"c\"} is not allowed: names (letters, digits, _) and "
            "values"},
      Wrong{R"({"name":"x","url":"vl+http://h","tenant":"a"})",
            "sink x: tenant: \"a\" is not allowed: VictoriaLogs wants numbers, account or "
            "account:project"},
      Wrong{R"({"name":"x","url":"es+http://h","auth":{"user":"u","token_env":"T"}})",
            "sink x: auth.token_env: does not go with auth.user"},
      Wrong{R"({"name":"x","url":"loki+http://h","auth":{"password_env":"P"}})",
            "sink x: auth.user: basic authentication needs one"},
      Wrong{R"("loki+http://h?tenant=%ff")", "sink loki+http://h: a value in it is no UTF-8"},
      Wrong{"7", "a sink is a URL or an object of options"},
  };
  for (const Wrong& row : kWrong) EXPECT_EQ(refusal(object_of(row.written)), row.line);
}

TEST(SinkConfigTest, NeverShowsASecretInAnError) {
  for (const char* written :
       {R"("loki+http://u:s3cret@h?level=loud")", R"("loki+http://u:s3cret@h:99999")",
        R"("u:s3cret@h")", R"("loki+http://u:s3/cret@h")", R"("loki+http://u:s3cret%zz@h")",
        R"({"url":"loki+http://h","auth":"s3cret"})",
        R"({"url":"loki+http://h","auth":{"token":["s3cret"]}})",
        R"({"url":"loki+http://h","auth":{"token":"s3cret","token_env":"T"}})",
        R"({"url":"loki+http://h","headers":{"Authorization":"Bearer s3cret"}})",
        R"("loki+http://h?auth.tokn=s3cret")", R"([["loki+http://u:s3cret@h"]])"}) {
    const auto sinks = sinks_from_json(object_of(written));
    ASSERT_FALSE(sinks) << written;
    EXPECT_EQ(sinks.error().message().find("s3"), std::string::npos) << sinks.error().message();
  }
}

TEST(SinkConfigTest, ReadsSeveralSinks) {
  const auto names = [](const Json& written) {
    const auto sinks = sinks_from_json(written);
    std::string all = sinks ? "" : sinks.error().message();
    if (sinks)
      for (const ConfiguredSink& sink : *sinks) all += sink.spec.name + " ";
    return all;
  };
  EXPECT_EQ(names("loki+http://a, vl+http://b loki+http://c"), "loki-a victorialogs-b loki-c ");
  EXPECT_EQ(names("vl+http://a?label_fields=x,y,loki+http://c"), "victorialogs-a loki-c ");
  EXPECT_EQ(names(object_of(R"([{"type":"loki","url":"http://a"},"loki+http://b"])")),
            "loki-a loki-b ");
  EXPECT_EQ(names(object_of(R"({"type":"loki","url":"http://a"})")), "loki-a ");
  for (const Json& off : {Json(), Json(false), Json("none"), Json::array(), Json("")})
    EXPECT_EQ(names(off), "");
  EXPECT_EQ(names("loki+http://a loki+http://a:3100/"), "sink loki-a: is named twice");
}

TEST(SinkConfigTest, TakesSecretsThroughJsonAndRefusesAnIdThatIsNone) {
  const SinkSecrets secrets{{sink_id(SinkSpec()), "pw"}};
  const Result<SinkSecrets> again = secrets_from_json(secrets_to_json(secrets));
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, secrets);
  EXPECT_TRUE(secrets_from_json({})->empty());
  EXPECT_FALSE(secrets_from_json(Json::object({{"../../etc/passwd", "pw"}})));
  EXPECT_FALSE(secrets_from_json(Json::Array{"pw"}));
}

TEST(SinksTextTest, IsWhatAUserWouldWrite) {
  for (const char* const text :
       {"loki+http://127.0.0.1:3100", "loki+https://u%40x@h:443/base?tenant=a&labels.team=x%20y",
        "elasticsearch+https://u@es:9200?index=logs-app-default&auth.password_env=PW",
        "opensearch+http://h:9200/base?index=app-%25Y.%25m", "file:///var/log/a%20b.ndjson",
        "victorialogs+http://h:9428?name=mine&filter.level=warn&filter.only=a&filter.only=b%26c",
        "http+http://h:80/in?label_fields=a%2Cb&batch.max_age=5s&redact.builtin=true",
        "loki+http://a:3100 victorialogs+http://b:9428", "none"}) {
    const auto sinks = sinks_from_json(text);
    ASSERT_TRUE(sinks) << sinks.error().message();
    std::vector<SinkSpec> specs, again;
    for (const ConfiguredSink& sink : *sinks) specs.push_back(sink.spec);
    const std::string shown = sinks_text(specs);
    EXPECT_EQ(shown, text);
    const auto shown_sinks = sinks_from_json(shown);
    ASSERT_TRUE(shown_sinks) << shown << ": " << shown_sinks.error().message();
    for (const ConfiguredSink& sink : *shown_sinks) again.push_back(sink.spec);
    EXPECT_EQ(again, specs) << shown;
  }
}

TEST(SinksTextTest, IsJsonWhereAUrlCannotSayIt) {
  const auto sinks = sinks_from_json(
      *Json::parse(R"([{"type":"es","urls":["http://a","http://b"]},"loki+http://c"])"));
  ASSERT_TRUE(sinks) << sinks.error().message();
  const std::string text = sinks_text({(*sinks)[0].spec, (*sinks)[1].spec});
  const auto again = sinks_from_json(*Json::parse(text));
  ASSERT_TRUE(again) << text;
  EXPECT_EQ((*again)[0].spec, (*sinks)[0].spec);
  EXPECT_EQ((*again)[1].spec, (*sinks)[1].spec);
}

TEST(SinksTextTest, ShowsNoSecretAndNoHeader) {
  auto sink = *sink_from_text("loki+http://u:s3cret@h?headers.X-Token=t0ken");
  EXPECT_EQ(sinks_text({sink.spec}), "loki+http://u@h:3100?headers.X-Token=***");
  sink = *sink_from_json(*Json::parse(
      R"({"url":"http://h","type":"es","auth":{"api_key":"s3cret"},"headers":{"X":"t0ken"}})"));
  const std::string text = sinks_text({sink.spec});
  EXPECT_EQ(text.find("s3cret"), std::string::npos) << text;
  EXPECT_EQ(text.find("t0ken"), std::string::npos) << text;
}

}  // namespace
}  // namespace pmx::config
