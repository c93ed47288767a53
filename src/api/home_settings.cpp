#include "api/home_settings.h"

#include "config/app_config.h"
#include "config/settings.h"

namespace pmx::api {

void HomeSettings::read() {
  const auto values = store_.read();
  auto settings =
      values ? config::settings_from_json(*values) : Result<config::Settings>(values.error());
  if (!settings) return notice_("settings: " + settings.error().message() + "; nothing is changed");
  max_disk_bytes_ = settings->max_disk_bytes;
  autosave_ = settings->autosave;
  ship_ = std::move(settings->app_defaults.ship);
}

bool HomeSettings::give_ship(AppSpec& app) const {
  if (!app.ship_from_home || !ship_ || app.ship == *ship_) return false;
  app.ship = *ship_;
  return true;
}

supervisor::AppCodec HomeSettings::codec() const {
  supervisor::AppCodec codec = config::app_codec();
  codec.from_json = [this, plain = codec.from_json](const Json& json) -> Result<AppSpec> {
    AppSpec app = PMX_TRY(plain(json));
    give_ship(app);
    return app;
  };
  return codec;
}

}  // namespace pmx::api
