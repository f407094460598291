/*
 * config_sd: lists of targets that files and servers give, in Prometheus's format.  Layer 2, pure.
 *
 *   [{"targets": ["10.0.0.7:6060"], "labels": {"service": "shop"}}]
 *
 * as JSON or YAML.  A list is taken whole or not at all: what is not exactly that, an address that
 * is none, or a label that may not be set is an error, so that a file half written or written wrong
 * changes nothing.  What it says is an outsider's word: sockets of this host ("unix:") need local.
 */
#ifndef LEAKWATCH_CONFIG_SD_H
#define LEAKWATCH_CONFIG_SD_H

#include "config.h"

#define CONFIG_SD_BYTES_MAX                                                                        \
	(16 * 1024 * 1024) /* of a list from a server; files: CONFIG_BYTES_MAX */
#define CONFIG_SD_TARGETS_MAX 100000

struct config_sd {
	struct config_static *v; /* groups of targets with their labels */
	size_t n;
};

/* Everything is copied into a.  0, or -1 with err: what is wrong and where. */
int config_sd_json(
	struct str text, bool local, struct arena *a, struct config_sd *out, struct err *err);
int config_sd_yaml(
	struct str text, bool local, struct arena *a, struct config_sd *out, struct err *err);

#endif
