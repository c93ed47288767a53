// What editors and people are given of the table in schema.cpp: a JSON schema of ecosystem files,
// and a YAML file with every key and its default.
#pragma once

#include <string>

namespace pmx::config {

std::string ecosystem_schema();  // config/ecosystem.schema.json
std::string defaults_yaml();     // config/pmx.yaml

}  // namespace pmx::config
