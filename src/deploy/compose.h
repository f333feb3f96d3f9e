/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compose files into the model (deploy_compose_read of read.h). Rule: the Compose
 * Specification, as docker compose 2 reads it. What is not supported is a problem, what
 * means nothing here a warning.
 */
#ifndef DRAY_DEPLOY_COMPOSE_H
#define DRAY_DEPLOY_COMPOSE_H

#include "deploy/read.h"

/*
 * The files that are meant when none is named: those of COMPOSE_FILE, else the first of
 * compose.yaml, compose.yml, docker-compose.yaml, docker-compose.yml in directory, and
 * its override file. environment: as in struct deploy_sources. Owned; NULL: there is
 * none.
 */
char **deploy_compose_files(const char *directory, const char *const *environment);

#endif
