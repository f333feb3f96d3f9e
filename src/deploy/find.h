/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DRAY_DEPLOY_FIND_H
#define DRAY_DEPLOY_FIND_H

/*
 * The files that are meant when none is named: those of COMPOSE_FILE (told apart by
 * COMPOSE_PATH_SEPARATOR), from the environment or the .env in directory; else, in
 * directory or the nearest one above it, the first of dray.yaml, dray.yml, compose.yaml,
 * compose.yml, docker-compose.yaml, docker-compose.yml; the latter four together with
 * their override file. environment: as in struct deploy_sources. Owned; NULL: there is
 * none.
 */
char **deploy_find(const char *directory, const char *const *environment);

#endif
