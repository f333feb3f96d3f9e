/* SPDX-License-Identifier: Apache-2.0 */
#include "deploy/compose-internal.h"

static void version(struct compose_service *s, const struct deploy_value *value)
{
    compose_warn(s->c, &value->where,
                 "'version' is obsolete: every Compose file is read by the one "
                 "specification");
}

static const struct compose_field top_fields[] = {
    {"version", COMPOSE_READ, NULL, version},
    {"name", COMPOSE_ELSEWHERE},
    {"include", COMPOSE_ELSEWHERE},
    {"services", COMPOSE_ELSEWHERE},
    {"networks", COMPOSE_ELSEWHERE},
    {"volumes", COMPOSE_ELSEWHERE},
    {"configs", COMPOSE_ELSEWHERE},
    {"secrets", COMPOSE_ELSEWHERE},
    {"models", COMPOSE_REFUSED, .why = "language models are not run here"},
    {NULL},
};

const struct deploy_value *compose_section(const struct compose *c, const char *name)
{
    const struct deploy_value *section = deploy_value_get(c->root, name);
    return section && section->type == DEPLOY_MAP ? section : c->nothing;
}

static void check_types(struct compose *c)
{
    static const char *const sections[] = {"services", "networks", "volumes", "configs",
                                           "secrets"};
    for (size_t i = 0; i < DR_COUNT(sections); i++) {
        const struct deploy_value *section = deploy_value_get(c->root, sections[i]);
        if (section && section->type != DEPLOY_NULL)
            compose_is(c, section, DEPLOY_MAP, "a mapping of names");
    }
}

static void read_tree(struct compose *c)
{
    struct compose_service s = {.c = c};
    compose_fields(&s, c->root, top_fields, "a Compose file");
    check_types(c);
    compose_services(c);
    compose_links(c);
    compose_check_sections(c);
}

int deploy_compose_read(const struct deploy_input *input, struct deploy_model *model,
                        struct dr_error *err)
{
    struct compose c = {.input = input,
                        .sources = input->sources,
                        .model = model,
                        .problems = input->problems,
                        .nothing = deploy_value_new(DEPLOY_MAP, NULL, NULL)};
    compose_env_init(&c.env, input->sources->environment);
    model->compose_names = true;
    int rc = compose_files(&c, err);
    if (rc == 0)
        read_tree(&c);
    deploy_value_free(c.root);
    deploy_value_free(c.nothing);
    compose_env_release(&c.env);
    return rc;
}
