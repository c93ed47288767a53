#include "config/sink_config.h"

#include <algorithm>
#include <array>
#include <set>

#include "config/internal/sink_url.h"
#include "config/internal/value_text.h"
#include "config/nearest.h"

namespace pmx::config {
namespace {

constexpr std::string_view kDefaultIndex = "logs-pmx-default";
constexpr std::array<std::string_view, 5> kGroups{"auth", "tls", "batch", "filter", "redact"};

struct StoreFacts {
  SinkType type;
  std::uint16_t port;       // Where it listens by default.
  std::uint16_t tls_port;   // Loki and VictoriaLogs speak TLS through a proxy, on 443.
  std::string_view push;    // The end of a path that users paste, and that a sink adds by itself.
  std::string_view packed;  // What it unpacks.
};
constexpr std::array kStores{
    StoreFacts{SinkType::kLoki, 3100, 443, "/loki/api/v1/push", "none gzip snappy"},
    StoreFacts{SinkType::kElasticsearch, 9200, 9200, "/_bulk", "none gzip"},
    StoreFacts{SinkType::kOpenSearch, 9200, 9200, "/_bulk", "none gzip"},
    StoreFacts{SinkType::kVictoriaLogs, 9428, 443, "/insert/jsonline", "none gzip zstd snappy"},
    StoreFacts{SinkType::kHttp, 80, 443, "", "none gzip zstd snappy"},
    StoreFacts{SinkType::kFile, 0, 0, "", ""},
};
const StoreFacts& facts_of(SinkType type) {
  return *std::find_if(kStores.begin(), kStores.end(),
                       [&](const StoreFacts& row) { return row.type == type; });
}
bool is_bulk(SinkType type) {
  return type == SinkType::kElasticsearch || type == SinkType::kOpenSearch;
}

// What has been read so far of one sink.
struct Draft {
  ConfiguredSink sink;
  std::set<std::string_view> seen;  // Keys of the table.
  std::optional<SinkType> type;
  bool secret_in_url = false;
};

std::string default_name(const SinkSpec& spec, const std::string& host) {
  std::string name =
      std::string(name_of(spec.type)) + "-" +
      (spec.type == SinkType::kFile ? std::string(base_name_of_path(spec.urls.front())) : host);
  std::erase_if(name, [](char c) { return c == '[' || c == ']'; });
  for (char& c : name)
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '-') c = '-';
  constexpr std::size_t kLongest = 64;
  return name.substr(0, kLongest);
}

std::string url_text(const SinkUrl& url, const StoreFacts& store) {
  const std::uint16_t usual = url.scheme == "https" ? store.tls_port : store.port;
  return url.scheme + "://" + url.host + ":" + std::to_string(url.port != 0 ? url.port : usual) +
         url.path;
}

Result<void> set_option(Draft& draft, std::string_view name, SinkKey spelled, const Json& value) {
  const SinkOption* const option = find_sink_option(name, spelled);
  if (option == nullptr) {
    const auto known = sink_option_names();
    return invalid("\"" + std::string(name) + "\" is no option" + suggestion(name, known));
  }
  if (value.is_null()) return {};
  if (std::holds_alternative<AddressField>(option->field)) {
    // from_object() has read it; in a query it would say a second time what the URL says.
    if (spelled == SinkKey::kShort) return invalid(std::string(name) + ": the URL itself says it");
    return {};
  }
  if (std::holds_alternative<SecretField>(option->field) && spelled == SinkKey::kShort)
    draft.secret_in_url = draft.secret_in_url ||
                          std::get<SecretField>(option->field).from == SecretField::From::kGiven;
  draft.seen.insert(option->key);
  return set_sink_option(*option, draft.sink, value);
}

// One URL: where the sink is, and whatever else is said in it. `whole_path`: the path is the
// store's, no index is in it.
Result<void> add_url(Draft& draft, SinkUrl url, bool whole_path) {
  SinkSpec& spec = draft.sink.spec;
  if (url.type && draft.type && *url.type != *draft.type)
    return invalid("type: " + std::string(name_of(*draft.type)) + ", but the URL says " +
                   std::string(name_of(*url.type)));
  if (!draft.type) draft.type = url.type;
  if (!draft.type)
    return invalid("which store is it? loki+http://…, or http+http://… for NDJSON to any URL");
  spec.type = *draft.type;
  if ((url.scheme == "file") != (spec.type == SinkType::kFile))
    return invalid("type: " + std::string(name_of(spec.type)) + " is not reached by " + url.scheme +
                   "://");
  const StoreFacts& store = facts_of(spec.type);
  if (!store.push.empty() && url.path.ends_with(store.push))
    url.path.resize(url.path.size() - store.push.size());
  if (is_bulk(spec.type) && !whole_path && !url.path.empty()) {
    std::string index(base_name_of_path(url.path));
    url.path.resize(url.path.size() - index.size() - 1);
    // Only %25 is decoded: people write app-%Y.%m.%d as it is.
    for (std::size_t at = index.find("%25"); at != std::string::npos;
         at = index.find("%25", at + 1))
      index.erase(at + 1, 2);
    PMX_TRY(set_option(draft, "index", SinkKey::kFull, index));
  }
  spec.urls.push_back(url.scheme == "file" ? url.path : url_text(url, store));
  if (spec.name.empty() && spec.urls.size() == 1) spec.name = default_name(spec, url.host);
  if (!url.user.empty()) PMX_TRY(set_option(draft, "auth.user", SinkKey::kFull, url.user));
  if (!url.password.empty())
    PMX_TRY(set_option(draft, "auth.password", SinkKey::kShort, url.password));
  return {};
}

// ?labels.team=x&level=warn&only=a&only=b
Result<void> read_query(Draft& draft, const SinkUrl& url) {
  std::map<std::string, Json::Array> lists;
  for (const auto& [name, value] : url.query) {
    bool is_member = false;
    for (const std::string_view map : {"labels.", "headers.", "filter.fields.", "fields."}) {
      if (!name.starts_with(map)) continue;
      const std::string member = name.substr(map.size());
      PMX_TRY(set_option(draft, map.substr(0, map.size() - 1), SinkKey::kShort,
                         Json::object({{member, value}})));
      is_member = true;
      break;
    }
    if (is_member) continue;
    auto& values = lists[name];
    values.emplace_back(value);
    // The last one counts, but for lists, where each is one more.
    const SinkOption* const option = find_sink_option(name, SinkKey::kShort);
    const bool list = option != nullptr && std::holds_alternative<PatternsField>(option->field);
    PMX_TRY(set_option(draft, name, SinkKey::kShort, list ? Json(values) : Json(value)));
  }
  return {};
}

Result<void> set_kind(Draft& draft) {
  SinkAuth& auth = draft.sink.spec.auth;
  std::optional<SinkAuth::Kind> kind;
  if (draft.seen.contains("auth.type")) kind = auth.kind;
  if (!kind && draft.seen.contains("auth.user")) kind = SinkAuth::Kind::kBasic;
  std::string_view first;
  for (const SinkOption& row : sink_options()) {
    const auto* const secret = std::get_if<SecretField>(&row.field);
    if (secret == nullptr || !draft.seen.contains(row.key)) continue;
    if (!first.empty())
      return invalid(std::string(row.key) + ": the secret is given by " + std::string(first) +
                     " already");
    first = row.key;
    if (kind && *kind != secret->kind)
      return invalid(std::string(row.key) + ": does not go with " +
                     (draft.seen.contains("auth.type") ? "this auth.type" : "auth.user"));
    kind = secret->kind;
  }
  auth.kind = kind.value_or(SinkAuth::Kind::kNone);
  if (auth.kind == SinkAuth::Kind::kBasic && auth.user.empty())
    return invalid("auth.user: basic authentication needs one");
  if (auth.kind != SinkAuth::Kind::kBasic && !auth.user.empty())
    return invalid("auth.user: only basic authentication has one");
  return {};
}

// What no row can say by itself.
Result<void> finish(Draft& draft) {
  SinkSpec& spec = draft.sink.spec;
  for (const SinkOption& row : sink_options())
    if (draft.seen.contains(row.key) && !is_for(row, spec.type))
      return invalid(std::string(row.key) + ": not for " + std::string(name_of(spec.type)) +
                     ", only for " + stores_text(row));
  PMX_TRY(set_kind(draft));
  if (draft.secret_in_url)
    draft.sink.warnings.push_back(
        "sink " + spec.name +
        ": a secret in a URL can be seen in the shell's history and in the list of processes; "
        "auth.password_env or auth.password_file can say where it is");
  if (is_bulk(spec.type)) {
    if (spec.index.empty()) spec.index = kDefaultIndex;
    if (!draft.seen.contains("data_stream"))
      spec.data_stream =
          spec.index.starts_with("logs-") || spec.index.find('%') == std::string::npos;
  }
  const std::string_view packed = facts_of(spec.type).packed;
  if (!spec.compression.empty() && !has_word(packed, spec.compression))
    return invalid("compression: " + std::string(name_of(spec.type)) + " does not unpack " +
                   spec.compression + ": " + listed(packed));
  if (spec.type == SinkType::kLoki && !spec.compression.empty() &&
      (spec.compression == "snappy") != (spec.encoding != "json"))
    return invalid("compression: Loki wants snappy for protobuf, none or gzip for json");
  if (spec.type == SinkType::kVictoriaLogs && !spec.tenant.empty() &&
      spec.tenant.find_first_not_of("0123456789:") != std::string::npos)
    return invalid("tenant: \"" + spec.tenant +
                   "\" is not allowed: VictoriaLogs wants numbers, account or account:project");
  if (spec.tls.certificate_file.empty() != spec.tls.key_file.empty())
    return invalid("tls.certificate_file and tls.key_file: each needs the other");
  // JSON cannot hold it: the daemon would have another sink than the one its secret is of.
  const Json json = sink_to_json(spec);
  const Result<Json> read_back = Json::parse(json.dump());
  if (!read_back || !(*read_back == json)) return invalid("a value in it is no UTF-8");
  return {};
}

Result<ConfiguredSink> from_text(Draft& draft, std::string_view text) {
  SinkUrl url = PMX_TRY(split_sink_url(text));
  PMX_TRY(read_query(draft, url));
  const bool named_index = draft.seen.contains("index");
  PMX_TRY(add_url(draft, url, named_index));
  PMX_TRY(finish(draft));
  return std::move(draft.sink);
}

Result<void> read_members(Draft& draft, const Json& object, const std::string& prefix) {
  for (const auto& [key, value] : object.members()) {
    const std::string name = prefix + key;
    const bool group = std::find(kGroups.begin(), kGroups.end(), name) != kGroups.end();
    if (group && value.is_object()) {
      PMX_TRY(read_members(draft, value, name + "."));
    } else if (name == "redact" && value.is_bool()) {
      PMX_TRY(set_option(draft, "redact.builtin", SinkKey::kFull, value));
    } else if (group && !value.is_null() && !(value.is_bool() && !value.as_bool())) {
      return invalid(name + ": " + (name == "auth" ? "what is given" : value.dump()) +
                     " is not allowed: an object of options");
    } else if (!group) {
      PMX_TRY(set_option(draft, name, SinkKey::kFull, value));
    }
  }
  return {};
}

Result<std::vector<std::string>> urls_of(const Json& object) {
  if (const Json* const url = object.find("url"); url != nullptr && !url->is_null()) {
    if (!object["urls"].is_null()) return invalid("urls: the sink has a url already");
    if (!url->is_string()) return invalid("url: " + url->dump() + " is not allowed: a URL");
    return std::vector{url->as_string()};
  }
  std::vector<std::string> urls;
  for (const Json& item : object["urls"].items()) {
    if (!item.is_string()) return invalid("urls: not allowed: a list of URLs");
    urls.push_back(item.as_string());
  }
  if (urls.empty()) return invalid("url: a sink needs one");
  return urls;
}

Result<ConfiguredSink> from_object(Draft& draft, const Json& object) {
  const Json& type = object["type"];
  if (!type.is_null()) {
    draft.type = sink_type_named(type.as_string());
    if (!draft.type)
      return invalid("type: " + type.dump() +
                     " is not allowed: " + allowed_text(*find_sink_option("type")));
    draft.sink.spec.type = *draft.type;
  }
  const std::vector<std::string> urls = PMX_TRY(urls_of(object));
  PMX_TRY(read_members(draft, object, ""));
  for (const std::string& text : urls) {
    const bool plain_path =
        draft.type == SinkType::kFile && text.find("://") == std::string::npos && !text.empty();
    SinkUrl url;
    if (plain_path) {
      url.scheme = "file";
      url.path = text;
    } else {
      url = PMX_TRY_WITHIN("url", split_sink_url(text));
    }
    PMX_TRY(read_query(draft, url));
    // The path is the index only where nothing else says it, as in the URL alone.
    const bool whole_path = urls.size() > 1 || draft.seen.contains("index");
    PMX_TRY(add_url(draft, std::move(url), whole_path));
  }
  PMX_TRY(finish(draft));
  return std::move(draft.sink);
}

}  // namespace

Result<ConfiguredSink> sink_from_text(std::string_view url) {
  Draft draft;
  return PMX_TRY_WITHIN("sink " + shown_url(url), from_text(draft, url));
}

Result<ConfiguredSink> sink_from_json(const Json& written) {
  if (written.is_string()) return sink_from_text(written.as_string());
  if (!written.is_object()) return invalid("a sink is a URL or an object of options");
  std::string label = written["name"].as_string();
  if (label.empty()) label = shown_url(written["url"].as_string());
  if (label.empty()) label = written["type"].as_string_or("without a type");
  Draft draft;
  return PMX_TRY_WITHIN("sink " + label, from_object(draft, written));
}

Json sink_to_json(const SinkSpec& spec) {
  SinkSpec usual;
  usual.type = spec.type;
  Json json = Json::object();
  json.set("type", name_of(spec.type));
  if (spec.urls.size() == 1)
    json.set("url", spec.urls.front());
  else
    json.set("urls", Json(Json::Array(spec.urls.begin(), spec.urls.end())));
  for (const SinkOption& row : sink_options()) {
    const Json value = get_sink_option(row, spec);
    if (value.is_null()) continue;
    // What follows from the index is written out: a default may change.
    const bool always = row.key == "data_stream" && is_bulk(spec.type);
    if (!always && value == get_sink_option(row, usual)) continue;
    const std::size_t dot = row.key.find('.');
    if (dot == std::string_view::npos) {
      json.set(row.key, value);
    } else {
      Json group = json[row.key.substr(0, dot)];
      group.set(row.key.substr(dot + 1), value);
      json.set(row.key.substr(0, dot), std::move(group));
    }
  }
  return json;
}

std::vector<std::string> split_urls(std::string_view text) {
  const auto begins_url = [](std::string_view rest) {
    const std::size_t end = rest.find("://");
    return end != std::string_view::npos && end > 0 &&
           std::all_of(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(end), [](char c) {
             return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '+';
           });
  };
  std::vector<std::string> urls(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool space = text[i] == ' ' || text[i] == '\t' || text[i] == '\n';
    const bool last = text.find_first_not_of(", \t\n", i) == std::string_view::npos;
    const bool comma =
        text[i] == ',' && (begins_url(text.substr(i + 1)) || last || text[i + 1] == ' ');
    if (space || comma)
      urls.emplace_back();
    else
      urls.back() += text[i];
  }
  std::erase(urls, "");
  return urls;
}

Result<std::vector<ConfiguredSink>> sinks_from_json(const Json& written) {
  std::vector<Json> items;
  const auto add = [&](const Json& item) {
    if (!item.is_string()) return items.push_back(item);
    for (std::string& url : split_urls(item.as_string())) items.emplace_back(std::move(url));
  };
  const bool off = written.is_null() || written == Json(false) || written == Json("none") ||
                   written == Json("false") || written == Json("off");
  if (off) return std::vector<ConfiguredSink>();
  if (written.is_array())
    for (const Json& item : written.items()) add(item);
  else
    add(written);
  std::vector<ConfiguredSink> sinks;
  std::set<std::string> ids;
  for (const Json& item : items) {
    ConfiguredSink sink = PMX_TRY(sink_from_json(item));
    if (!ids.insert(sink_id(sink.spec)).second)
      return invalid("sink " + sink.spec.name + ": is named twice");
    sinks.push_back(std::move(sink));
  }
  return sinks;
}

Json secrets_to_json(const SinkSecrets& secrets) {
  Json::Object members;
  for (const auto& [id, secret] : secrets) members.emplace_back(id, secret);
  return members;
}

Result<SinkSecrets> secrets_from_json(const Json& json) {
  if (!json.is_null() && !json.is_object()) return invalid("ship_secrets: not an object");
  SinkSecrets secrets;
  for (const auto& [id, secret] : json.members()) {
    // An id becomes a file's name.
    const bool hex =
        id.size() == 16 && id.find_first_not_of("0123456789abcdef") == std::string::npos;
    if (!hex) return invalid("ship_secrets: \"" + id + "\" is no sink's id");
    if (!secret.is_string()) return invalid("ship_secrets: " + id + ": the secret is no text");
    secrets[id] = secret.as_string();
  }
  return secrets;
}

Json sinks_to_json(const std::vector<SinkSpec>& specs) {
  Json list = Json::array();
  for (const SinkSpec& spec : specs) list.push_back(sink_to_json(spec));
  return list;
}

}  // namespace pmx::config
