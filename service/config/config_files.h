// Whether what the configuration names is there: files, folders and the token's URI.
#pragma once

#include "service/config/config.h"
#include "service/config/config_field.h"

#include <toml++/toml.h>

namespace hallmark::service {

// As this user sees them. `file` is what `config` was read from; its lines stand in the mistakes.
void CheckFiles(const toml::table& file, const Config& config, Mistakes& mistakes);

}  // namespace hallmark::service
