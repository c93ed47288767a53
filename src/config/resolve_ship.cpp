#include "config/resolve_ship.h"

#include "base/path.h"
#include "base/sys.h"
#include "config/internal/path_lookup.h"

namespace pmx::config {
namespace {

constexpr std::size_t kLargestSecretBytes = 64U << 10U;

std::string variable(const ResolveContext& context, std::string_view name) {
  const auto found = context.env.find(std::string(name));
  return found == context.env.end() ? "" : found->second;
}

void make_absolute(SinkSpec& spec, const ResolveContext& context) {
  const std::string home = variable(context, "HOME");
  std::vector<std::string*> paths{&spec.tls.ca_file, &spec.tls.certificate_file, &spec.tls.key_file,
                                  &spec.auth.secret_file};
  if (spec.type == SinkType::kFile)
    for (std::string& path : spec.urls) paths.push_back(&path);
  for (std::string* path : paths)
    if (!path->empty()) *path = absolute_path(context.cwd, *path, home);
}

Result<std::string> read_secret(SinkSpec& spec, const ResolveContext& context) {
  if (!spec.auth.secret_env.empty()) {
    std::string secret = variable(context, spec.auth.secret_env);
    if (secret.empty())
      return invalid("the environment has no " + spec.auth.secret_env + ", which holds its secret");
    return secret;
  }
  if (!spec.auth.secret_file.empty()) {
    std::string secret = PMX_TRY(sys::read_file(spec.auth.secret_file, kLargestSecretBytes));
    // Every editor, and echo, ends a file with a newline.
    while (secret.ends_with('\n') || secret.ends_with('\r')) secret.pop_back();
    if (secret.empty()) return invalid(spec.auth.secret_file + " is empty, but holds its secret");
    return secret;
  }
  if (spec.auth.kind == SinkAuth::Kind::kBasic) {
    std::string secret = variable(context, kShipPasswordVariable);
    if (!secret.empty()) spec.auth.secret_env = kShipPasswordVariable;
    return secret;
  }
  return std::string();
}

}  // namespace

Result<ResolvedShip> resolve_sinks(const Json& written, const ResolveContext& context) {
  std::vector<ConfiguredSink> sinks = PMX_TRY(sinks_from_json(written));
  ResolvedShip resolved;
  for (ConfiguredSink& sink : sinks) {
    SinkSpec& spec = sink.spec;
    make_absolute(spec, context);
    if (sink.secret.empty())
      sink.secret = PMX_TRY_WITHIN("sink " + spec.name, read_secret(spec, context));
    if (!sink.secret.empty())
      resolved.secrets[sink_id(spec)] = sink.secret;
    else if (spec.auth.kind != SinkAuth::Kind::kNone)
      sink.warnings.push_back("sink " + spec.name + ": no secret is given (" +
                              std::string(kShipPasswordVariable) +
                              ", auth.password_env or auth.password_file say it); one that was "
                              "given before is used");
    for (std::string& line : sink.warnings) resolved.warnings.push_back(std::move(line));
    resolved.specs.push_back(std::move(spec));
  }
  return resolved;
}

Result<ResolvedShip> resolve_ship(Json& app, const ResolveContext& context) {
  Json written = app["ship"];
  const bool said = !written.is_null();
  if (!said) {
    const std::string urls = variable(context, kShipVariable);
    if (urls.empty()) return ResolvedShip();
    written = urls;
  }
  Result<ResolvedShip> resolved = resolve_sinks(written, context);
  const std::string name = app["name"].as_string_or(app["script"].as_string());
  if (!resolved && !said)
    return std::move(resolved).error().within("app " + name + ": " + std::string(kShipVariable));
  if (!resolved) return std::move(resolved).error().within("app " + name);
  app.set("ship", sinks_to_json(resolved->specs));
  return resolved;
}

}  // namespace pmx::config
