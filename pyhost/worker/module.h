/* The built-in module _hognose: what the bootstrap calls. */
#ifndef HG_MODULE_H
#define HG_MODULE_H

#include "py_api.h"
#include "settings.h"

/* Makes the module importable. Before Python starts; settings must live as long as the process. Returns 0 or -1. */
int hg_module_install(const struct hg_settings *settings);

#endif
