#include "config/sink_options.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "config/internal/value_text.h"

namespace pmx::config {
namespace {

template <auto Member>
auto& spec_member(SinkSpec& spec) {
  return spec.*Member;
}
template <auto Part, auto Member>
auto& part_member(SinkSpec& spec) {
  return spec.*Part.*Member;
}
// Variables, because a function template's name has no type from which SinkField could be chosen.
template <auto Member>
constexpr auto in_spec = &spec_member<Member>;
template <auto Member>
constexpr auto in_auth = &part_member<&SinkSpec::auth, Member>;
template <auto Member>
constexpr auto in_tls = &part_member<&SinkSpec::tls, Member>;
template <auto Member>
constexpr auto in_batch = &part_member<&SinkSpec::batch, Member>;
template <auto Member>
constexpr auto in_filter = &part_member<&SinkSpec::filter, Member>;
template <auto Member>
constexpr auto in_redact = &part_member<&SinkSpec::redact, Member>;

constexpr unsigned bit(SinkType type) { return 1U << static_cast<unsigned>(type); }
constexpr unsigned kLoki = bit(SinkType::kLoki);
constexpr unsigned kBulk = bit(SinkType::kElasticsearch) | bit(SinkType::kOpenSearch);
constexpr unsigned kVictoria = bit(SinkType::kVictoriaLogs);
constexpr unsigned kNdjson = bit(SinkType::kHttp);
constexpr unsigned kNet = kLoki | kBulk | kVictoria | kNdjson;  // What is spoken to over HTTP.
constexpr unsigned kAll = kNet | bit(SinkType::kFile);

constexpr std::int64_t kKib = 1024;
constexpr auto kBasic = SinkAuth::Kind::kBasic;
constexpr auto kBearer = SinkAuth::Kind::kBearer;
constexpr auto kApiKey = SinkAuth::Kind::kApiKey;
using From = SecretField::From;

// Rows are in the order in which JSON and docs/SETTINGS.md show them.
// clang-format off
constexpr std::array kOptions{
    SinkOption{"type", kAll, AddressField{}, {}, "loki elasticsearch opensearch victorialogs http file",
               "The kind of store; in a URL the word before the +."},
    SinkOption{"url", kAll, AddressField{}, {}, "",
               "Where the store is; http for NDJSON has the whole path here."},
    SinkOption{"urls", kBulk, AddressField{}, {}, "",
               "Several hosts of one cluster; they take turns, and another one is asked when one does not answer."},
    SinkOption{"name", kAll, in_spec<&SinkSpec::name>, {}, "",
               "What pmx ship calls the sink; <type>-<host> where not given."},
    SinkOption{"index", kBulk, in_spec<&SinkSpec::index>, {}, "",
               "Data stream or index; in a URL the last part of the path. Takes %Y %m %d %H of the line's time and {app} {namespace} {env}."},
    SinkOption{"data_stream", kBulk, in_spec<&SinkSpec::data_stream>, {}, "",
               "Whether index names a data stream. Default: it does where it begins with logs- or has no date in it."},
    SinkOption{"pipeline", kBulk, in_spec<&SinkSpec::pipeline>, {}, "", "Ingest pipeline."},
    SinkOption{"tenant", kLoki | kVictoria, in_spec<&SinkSpec::tenant>, {}, "",
               "Loki: X-Scope-OrgID. VictoriaLogs: account or account:project."},
    SinkOption{"labels", kAll, in_spec<&SinkSpec::labels>, {}, "", "Labels on every line, beside app, host and stream."},
    SinkOption{"label_fields", kAll, NamesField{in_spec<&SinkSpec::label_fields>}, {}, "",
               "Top-level keys of JSON lines whose values become labels."},
    SinkOption{"metadata", kLoki, in_spec<&SinkSpec::metadata>, {}, "",
               "Structured metadata (pid, instance, run, level); false for a Loki that does not allow it."},
    SinkOption{"encoding", kLoki, in_spec<&SinkSpec::encoding>, {}, "protobuf json", "How lines are encoded; protobuf where not given."},
    SinkOption{"compression", kNet, in_spec<&SinkSpec::compression>, {}, "none gzip zstd snappy",
               "How requests are packed; what the store takes best where not given."},
    SinkOption{"multiline", kAll, in_spec<&SinkSpec::multiline>, {}, "", "A stack trace becomes one line of the store."},
    SinkOption{"strip_ansi", kAll, in_spec<&SinkSpec::strip_ansi>, {}, "", "Take colours and cursor movements out of the shipped copy."},
    SinkOption{"headers", kNet, in_spec<&SinkSpec::headers>, {}, "", "More HTTP headers of each request."},
    SinkOption{"timeout", kNet, in_spec<&SinkSpec::timeout>, {1000, 600'000}, "", "Of one request."},

    SinkOption{"auth.type", kNet, in_auth<&SinkAuth::kind>, {}, "none basic bearer api_key",
               "How the store knows us; follows from the other options where not given."},
    SinkOption{"auth.user", kNet, in_auth<&SinkAuth::user>, {}, "", "User of basic authentication; in a URL before the @."},
    SinkOption{"auth.password", kNet, SecretField{kBasic, From::kGiven}, {}, "",
               "Kept in state/ with mode 0600 and never shown; better not written into a file or a URL."},
    SinkOption{"auth.password_env", kNet, SecretField{kBasic, From::kEnvironment}, {}, "", "Variable of the shell that holds the password."},
    SinkOption{"auth.password_file", kNet, SecretField{kBasic, From::kFile}, {}, "", "File that holds it; read again when the store answers 401."},
    SinkOption{"auth.token", kNet, SecretField{kBearer, From::kGiven}, {}, "", "Bearer token."},
    SinkOption{"auth.token_env", kNet, SecretField{kBearer, From::kEnvironment}, {}, "", "Variable that holds it."},
    SinkOption{"auth.token_file", kNet, SecretField{kBearer, From::kFile}, {}, "", "File that holds it."},
    SinkOption{"auth.api_key", kBulk | kNdjson, SecretField{kApiKey, From::kGiven}, {}, "", "API key, encoded as the store has printed it."},
    SinkOption{"auth.api_key_env", kBulk | kNdjson, SecretField{kApiKey, From::kEnvironment}, {}, "", "Variable that holds it."},
    SinkOption{"auth.api_key_file", kBulk | kNdjson, SecretField{kApiKey, From::kFile}, {}, "", "File that holds it."},

    SinkOption{"tls.ca_file", kNet, in_tls<&SinkTls::ca_file>, {}, "", "Certificates (PEM) to trust instead of the system's."},
    SinkOption{"tls.certificate_file", kNet, in_tls<&SinkTls::certificate_file>, {}, "", "Our certificate (PEM)."},
    SinkOption{"tls.key_file", kNet, in_tls<&SinkTls::key_file>, {}, "", "Its key (PEM)."},
    SinkOption{"tls.ca_fingerprint", kNet, in_tls<&SinkTls::ca_fingerprint>, {}, "",
               "SHA-256 of a certificate in the server's chain, as Elasticsearch prints it at its first start."},
    SinkOption{"tls.server_name", kNet, in_tls<&SinkTls::server_name>, {}, "", "Name in the server's certificate, instead of the URL's host."},
    SinkOption{"tls.insecure", kNet, in_tls<&SinkTls::insecure>, {}, "", "No check of the server at all: who is in between reads lines and secrets."},

    SinkOption{"batch.max_bytes", kAll, SizeField{in_batch<&SinkBatch::max_bytes>}, {4 * kKib, 64 * kKib * kKib}, "", "A request is sent at this size, before packing."},
    SinkOption{"batch.max_lines", kAll, in_batch<&SinkBatch::max_lines>, {1, 1'000'000}, "", "Or with this many lines."},
    SinkOption{"batch.max_age", kAll, in_batch<&SinkBatch::max_age>, {10, 3600 * 1000}, "", "Or when its first line is this old."},

    SinkOption{"filter.stream", kAll, in_filter<&SinkFilter::stream>, {}, "out err", "Only lines of this output."},
    SinkOption{"filter.level", kAll, in_filter<&SinkFilter::level>, {}, "trace debug info warn error fatal", "Only lines of this level and worse."},
    SinkOption{"filter.only", kAll, PatternsField{in_filter<&SinkFilter::only>}, {}, "", "Only lines in which one of these is found."},
    SinkOption{"filter.drop", kAll, PatternsField{in_filter<&SinkFilter::drop>}, {}, "", "No lines in which one of these is found."},
    SinkOption{"filter.fields", kAll, PatternMapField{in_filter<&SinkFilter::fields>}, {}, "", "JSON lines: top-level keys and what must be found in their values."},
    SinkOption{"filter.sample", kAll, in_filter<&SinkFilter::sample>, {0, 1}, "", "Share of lines to keep, the same ones each time; lines of one trace together."},
    SinkOption{"filter.sample_keeps", kAll, in_filter<&SinkFilter::sample_keeps>, {}, "trace debug info warn error fatal", "This level and worse is never sampled away."},
    SinkOption{"filter.rate_lines", kAll, CountField{in_filter<&SinkFilter::rate_lines>}, {1, 1'000'000'000}, "off", "Most lines a second and app; a line says how many more there were."},

    SinkOption{"redact.builtin", kAll, in_redact<&RedactRules::builtin>, {}, "", "Take out tokens, keys, passwords in URLs and card numbers; redact: true is short for it."},
    SinkOption{"redact.patterns", kAll, PatternsField{in_redact<&RedactRules::patterns>}, {}, "", "What is found becomes [redacted]."},
    SinkOption{"redact.keys", kAll, NamesField{in_redact<&RedactRules::keys>}, {}, "", "JSON keys, at any depth, whose values are taken out."},
};
// clang-format on

constexpr bool rows_are_unique_and_explained() {
  for (std::size_t i = 0; i < kOptions.size(); ++i) {
    if (kOptions[i].help.empty() || kOptions[i].stores == 0) return false;
    for (std::size_t j = i + 1; j < kOptions.size(); ++j)
      if (kOptions[i].key == kOptions[j].key) return false;
  }
  return true;
}
static_assert(rows_are_unique_and_explained(), "a row twice, or without help");

constexpr std::array kTypes{SinkType::kLoki,       SinkType::kElasticsearch,
                            SinkType::kOpenSearch, SinkType::kVictoriaLogs,
                            SinkType::kHttp,       SinkType::kFile};

std::string_view last_part(std::string_view key) {
  const std::size_t dot = key.find('.');
  return dot == std::string_view::npos ? key : key.substr(dot + 1);
}

bool is_spelled(std::string_view key, std::string_view name) {
  return key == name || camel_case(key) == name;
}

std::string number_text(const Bounds& bounds, std::string_view zero_word) {
  return between("a number", std::to_string(bounds.min), std::to_string(bounds.max), zero_word);
}

struct AllowedText {
  const SinkOption& row;
  std::string operator()(AddressField) const {
    if (row.key == "type") return listed(row.words);
    return row.key == "urls" ? "a list of URLs" : "a URL";
  }
  std::string operator()(SinkFieldOf<std::string>) const {
    if (!row.words.empty()) return listed(row.words);
    if (row.key.ends_with("_file")) return "a path";
    if (row.key == "name") return "letters, digits and . _ -, at most 64";
    if (row.key == "index") return "lower case without \\ / * ? \" < > | , # and spaces";
    if (row.key == "tls.ca_fingerprint") return "64 hexadecimal digits, with or without colons";
    return "text";
  }
  std::string operator()(SinkFieldOf<bool>) const { return "true or false"; }
  std::string operator()(SinkFieldOf<double>) const { return number_text(row.bounds, ""); }
  std::string operator()(SinkFieldOf<std::uint32_t>) const { return number_text(row.bounds, ""); }
  std::string operator()(SinkFieldOf<std::chrono::milliseconds>) const {
    return between("a duration", duration_text(std::chrono::milliseconds(row.bounds.min)),
                   duration_text(std::chrono::milliseconds(row.bounds.max)), "");
  }
  std::string operator()(SinkFieldOf<std::map<std::string, std::string>>) const {
    return row.key == "headers" ? "names and values, but for what auth, tenant and pmx itself set"
                                : "names (letters, digits, _) and values";
  }
  std::string operator()(SinkFieldOf<SinkAuth::Kind>) const { return listed(row.words); }
  std::string operator()(SinkFieldOf<std::optional<StreamKind>>) const { return listed(row.words); }
  std::string operator()(SinkFieldOf<std::optional<Severity>>) const { return listed(row.words); }
  std::string operator()(SinkFieldOf<Severity>) const { return listed(row.words); }
  std::string operator()(SizeField) const {
    return between("a size", size_text(static_cast<std::uint64_t>(row.bounds.min)),
                   size_text(static_cast<std::uint64_t>(row.bounds.max)), "");
  }
  std::string operator()(CountField) const { return number_text(row.bounds, row.words); }
  std::string operator()(NamesField) const { return "a list of names"; }
  std::string operator()(PatternsField) const { return "a pattern of RE2, or a list"; }
  std::string operator()(PatternMapField) const { return "names and patterns of RE2"; }
  std::string operator()(SecretField secret) const {
    if (secret.from == SecretField::From::kEnvironment) return "a variable's name";
    return secret.from == SecretField::From::kFile ? "a path" : "text";
  }
};

}  // namespace

std::span<const SinkOption> sink_options() { return kOptions; }

const SinkOption* find_sink_option(std::string_view name, SinkKey spelled) {
  const auto* const full =
      std::find_if(kOptions.begin(), kOptions.end(),
                   [&](const SinkOption& row) { return is_spelled(row.key, name); });
  if (full != kOptions.end()) return full;
  if (spelled == SinkKey::kFull) return nullptr;
  const auto is_short = [&](const SinkOption& row) { return is_spelled(last_part(row.key), name); };
  if (std::count_if(kOptions.begin(), kOptions.end(), is_short) != 1) return nullptr;
  return std::find_if(kOptions.begin(), kOptions.end(), is_short);
}

std::vector<std::string_view> sink_option_names() {
  std::vector<std::string_view> names;
  for (const SinkOption& row : kOptions) names.push_back(row.key);
  return names;
}

bool is_for(const SinkOption& option, SinkType type) { return (option.stores & bit(type)) != 0; }

std::string stores_text(const SinkOption& option) {
  if (option.stores == kAll) return "all";
  if (option.stores == kNet) return "all but file";
  std::string out;
  for (const SinkType type : kTypes)
    if (is_for(option, type)) out += (out.empty() ? "" : ", ") + std::string(name_of(type));
  return out;
}

std::string allowed_text(const SinkOption& option) {
  return std::visit(AllowedText{option}, option.field);
}

std::string default_text(const SinkOption& option) {
  SinkSpec spec;
  if (const auto* size = std::get_if<SizeField>(&option.field)) return size_text(size->of(spec));
  if (option.key == "data_stream") return "";  // Follows from the index.
  const Json value = get_sink_option(option, spec);
  if (value.is_integer() && value.as_int() == 0 && !option.words.empty())
    return std::string(option.words);
  return scalar_text(value);
}

}  // namespace pmx::config
