// Where lines go: one store, as the user named it after defaults and checks.
//
// A sink is shared by all apps that name the same one. Secrets are no part of it: they are kept by
// ship/secret_store.h under the sink's id, so that nothing that prints a spec can print them.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/ids.h"
#include "model/redact_rules.h"
#include "model/severity.h"

namespace pmx {

enum class SinkType : std::uint8_t {
  kLoki,
  kElasticsearch,
  kOpenSearch,
  kVictoriaLogs,
  kHttp,  // NDJSON to any URL.
  kFile,
};
std::string_view name_of(SinkType type);  // "loki" … "file", as users write it.

struct SinkAuth {
  enum class Kind : std::uint8_t { kNone, kBasic, kBearer, kApiKey } kind = Kind::kNone;
  std::string user;         // kBasic.
  std::string secret_env;   // Where the secret was said to be; "": it was given itself.
  std::string secret_file;  // Read again when the store answers 401.
  bool operator==(const SinkAuth&) const = default;
};

struct SinkTls {
  std::string ca_file, certificate_file, key_file;  // PEM.
  std::string ca_fingerprint;  // SHA-256 of a certificate in the server's chain, 64 hex digits.
  std::string server_name;     // Instead of the URL's host.
  bool insecure = false;       // No check at all; only by this name.
  bool operator==(const SinkTls&) const = default;
};

struct SinkBatch {
  std::uint64_t max_bytes = 1U << 20U;  // Uncompressed, of one request.
  std::uint32_t max_lines = 20'000;
  std::chrono::milliseconds max_age{1000};
  bool operator==(const SinkBatch&) const = default;
};

// Which lines a sink gets. Patterns are RE2's.
struct SinkFilter {
  std::optional<StreamKind> stream;
  std::optional<Severity> level;              // This and worse.
  std::vector<std::string> only, drop;        // Must match one of `only`; none of `drop`.
  std::map<std::string, std::string> fields;  // JSON lines: top-level key → RE2 of its value.
  double sample = 1.0;                        // Share kept, by hash of trace id or line.
  Severity sample_keeps = Severity::kWarn;    // This and worse are never sampled away.
  std::uint64_t rate_lines = 0;               // A second and app; 0: no limit.
  bool operator==(const SinkFilter&) const = default;
};

struct SinkSpec {
  std::string name;  // What `pmx ship` calls it; "<type>-<host>" where not given.
  SinkType type = SinkType::kLoki;
  std::vector<std::string> urls;  // http(s)://host:port/base, without user, password and query;
                                  // several for elasticsearch and opensearch only. kFile: a path.
  std::string index;              // Bulk: index or data stream, with strftime's %Y %m %d %H of the
                                  // line's time and {app}, {namespace}, {env}.
  bool data_stream = true;        // Bulk: `index` names a data stream.
  std::string pipeline;           // Bulk: ingest pipeline.
  std::string tenant;             // X-Scope-OrgID; VictoriaLogs: "account:project".
  std::map<std::string, std::string> labels;  // Static ones, on every line.
  std::vector<std::string> label_fields;      // Top-level JSON keys whose values become labels.
  bool metadata = true;                       // Loki: structured metadata.
  std::string encoding;                       // Loki: "protobuf" (default) or "json".
  std::string compression;  // "": the store's best; "none", "gzip", "zstd", "snappy".
  bool multiline = true;    // Stack traces become one line of the store.
  bool strip_ansi = true;
  std::map<std::string, std::string> headers;  // More HTTP headers.
  std::chrono::milliseconds timeout{30'000};   // Of one request.
  SinkAuth auth;
  SinkTls tls;
  SinkBatch batch;
  SinkFilter filter;
  RedactRules redact;
  bool operator==(const SinkSpec&) const = default;
};

// What makes two specs the same sink: type, URLs, index, tenant, user, name. 16 hex digits; names
// its directory state/ship/<id> and its secret.
std::string sink_id(const SinkSpec& spec);

}  // namespace pmx
