// By what people and commands know the sinks of one home. Two may have the same name (one store's
// host with two tenants, say): then each has the first digits of its id behind it, and keeps them
// for as long as the other is there.
#pragma once

#include <map>
#include <string>

namespace pmx::ship {

// "loki-127.0.0.1-3f2a91bc": always this sink, whatever others there are.
std::string full_name(const std::string& name, const std::string& sink_id);

// From names by id to names that differ, by id. The order in which sinks came plays no part in it.
std::map<std::string, std::string> distinct_names(const std::map<std::string, std::string>& names);

}  // namespace pmx::ship
