/* SPDX-License-Identifier: Apache-2.0 */
#include "oci/ref.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/text.h"

static bool lower_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool alnum(char c)
{
    return lower_or_digit(c) || (c >= 'A' && c <= 'Z');
}

static int refuse(struct dr_error *err, const char *text, const char *why)
{
    dr_auto_free char *safe = dr_escape(text, 100);
    return dr_fail(err, DR_ERR_INVALID, "invalid reference '%s': %s", safe, why);
}

/* The bytes up to `end` are a port: 1…5 digits, at most 65535. */
static bool valid_port(const char *p, const char *end)
{
    long port = 0;
    if (p == end || end - p > 5)
        return false;
    for (; p < end; p++) {
        if (*p < '0' || *p > '9')
            return false;
        port = port * 10 + (*p - '0');
    }
    return port <= 65535;
}

/* domain-name: components of letters, digits and inner '-', joined by '.'. */
static bool valid_domain(const char *p, const char *end)
{
    if (p == end)
        return false;
    for (const char *start = p; p <= end; p++) {
        if (p < end && *p != '.') {
            if (!alnum(*p) && *p != '-')
                return false;
            continue;
        }
        if (p == start || start[0] == '-' || p[-1] == '-')
            return false;
        start = p + 1;
    }
    return true;
}

/* host: a domain or "[IPv6]", and ":port". */
static bool valid_host(const char *host, size_t len)
{
    const char *end = host + len, *p;
    if (host[0] == '[') {
        for (p = host + 1; p < end && (isxdigit((unsigned char)*p) || *p == ':'); p++)
            ;
        if (p == end || *p != ']' || p == host + 1)
            return false;
        p++;
        return p == end || (*p == ':' && valid_port(p + 1, end));
    }
    const char *colon = memchr(host, ':', len);
    return valid_domain(host, colon ? colon : end) &&
           (!colon || valid_port(colon + 1, end));
}

/* One path component: [a-z0-9]+ joined by '.', '_', '__' or any number of '-'. */
static bool valid_component(const char *p, size_t len)
{
    if (len == 0 || !lower_or_digit(p[0]) || !lower_or_digit(p[len - 1]))
        return false;
    for (size_t i = 1; i < len; i++) {
        if (lower_or_digit(p[i]) || p[i] == '-') {
            if (p[i] == '-' && !lower_or_digit(p[i - 1]) && p[i - 1] != '-')
                return false;
        } else if (p[i] == '.') {
            if (!lower_or_digit(p[i - 1]))
                return false;
        } else if (p[i] == '_') {
            bool second = p[i - 1] == '_' && i >= 2 && lower_or_digit(p[i - 2]);
            if (!lower_or_digit(p[i - 1]) && !second)
                return false;
        } else {
            return false;
        }
    }
    return true;
}

static bool valid_path(const char *path)
{
    for (;;) {
        size_t len = strcspn(path, "/");
        if (!valid_component(path, len))
            return false;
        if (!path[len])
            return true;
        path += len + 1;
    }
}

static bool valid_tag(const char *tag)
{
    size_t len = strlen(tag);
    if (len == 0 || len > OCI_REF_TAG_MAX || (!alnum(tag[0]) && tag[0] != '_'))
        return false;
    for (size_t i = 1; i < len; i++)
        if (!alnum(tag[i]) && !strchr("_.-", tag[i]))
            return false;
    return true;
}

/* 64 hex digits are an id, and Docker refuses to take them for a name. */
static bool looks_like_id(const char *text)
{
    return strlen(text) == DR_SHA256_HEX &&
           strspn(text, "0123456789abcdef") == DR_SHA256_HEX;
}

/* How many bytes of text are the registry's host; 0: none is given. What stands before
 * the first slash is one when it could not be a path: a dot, a colon, an upper-case
 * letter, or "localhost". */
static size_t host_len(const char *text)
{
    const char *slash = strchr(text, '/');
    if (!slash)
        return 0;
    size_t len = (size_t)(slash - text);
    if (len == strlen("localhost") && memcmp(text, "localhost", len) == 0)
        return len;
    for (size_t i = 0; i < len; i++)
        if (text[i] == '.' || text[i] == ':' || (text[i] >= 'A' && text[i] <= 'Z'))
            return len;
    return 0;
}

/* Splits "path:tag" (the digest is off already) into ref. */
static int set_path(struct oci_ref *ref, char *rest, const char *text,
                    struct dr_error *err)
{
    char *colon = strrchr(rest, ':');
    if (colon && strchr(colon, '/'))
        return refuse(err, text, "a ':' in the middle of the name");
    if (colon) {
        *colon = '\0';
        if (!valid_tag(colon + 1))
            return refuse(
                err, text,
                "the tag may have letters, digits, '_', '.' and '-', at most 128");
        ref->tag = dr_strdup(colon + 1);
    }
    if (!*rest)
        return refuse(err, text, "the name is missing");
    for (const char *p = rest; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            return refuse(err, text, "the repository name must be lower case");
    if (!valid_path(rest))
        return refuse(
            err, text,
            "the name may have lower-case letters and digits, separated by '.', "
            "'_', '__', '-' or '/'");
    bool bare = strcmp(ref->host, OCI_DEFAULT_HOST) == 0 && !strchr(rest, '/');
    ref->path = dr_printf("%s%s", bare ? "library/" : "", rest);
    if (strlen(ref->path) + strlen(ref->host) + 1 > OCI_REF_PATH_MAX)
        return refuse(err, text, "the name is longer than 255 characters");
    return 0;
}

int oci_ref_parse(const char *text, struct oci_ref *ret_ref, struct dr_error *err)
{
    if (!*text)
        return dr_fail(err, DR_ERR_INVALID,
                       "the image reference is empty: give one, 'alpine' for example");
    if (strlen(text) > OCI_REF_TEXT_MAX)
        return refuse(err, text, "longer than 512 characters");
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
            return refuse(err, text, "it has a blank or a character that is not ASCII");
    const char *scheme = strstr(text, "://");
    if (scheme)
        return refuse(err, text, "leave out the scheme, write host/name:tag");
    if (looks_like_id(text))
        return refuse(err, text, "64 hexadecimal digits are an image id, not a name");

    DR_CLEANUP(oci_ref_release) struct oci_ref ref = OCI_REF_INIT;
    dr_auto_free char *copy = dr_strdup(text);
    char *at = strchr(copy, '@'), *rest = copy;
    if (at) {
        *at = '\0';
        if (oci_digest_parse(at + 1, strlen(at + 1), &ref.digest, err) < 0) {
            dr_auto_free char *safe = dr_escape(text, 200);
            if (err->kind == DR_ERR_FORMAT)
                err->kind = DR_ERR_INVALID; /* a person typed it */
            return dr_wrap(err, "invalid reference '%s'", safe);
        }
    }
    size_t len = host_len(rest);
    if (len > 0) {
        if (!valid_host(rest, len))
            return refuse(err, text, "the part before the first '/' is not a host name");
        ref.host = dr_strndup(rest, len);
        rest += len + 1;
        if (strcmp(ref.host, "index.docker.io") == 0) {
            free(ref.host);
            ref.host = dr_strdup(OCI_DEFAULT_HOST);
        }
    } else {
        ref.host = dr_strdup(OCI_DEFAULT_HOST);
    }
    if (set_path(&ref, rest, text, err) < 0)
        return -1;
    if (!ref.tag && !ref.digest.text[0])
        ref.tag = dr_strdup(OCI_DEFAULT_TAG);
    *ret_ref = ref;
    ref = OCI_REF_INIT;
    return 0;
}

void oci_ref_release(struct oci_ref *ref)
{
    free(ref->host);
    free(ref->path);
    free(ref->tag);
    *ref = OCI_REF_INIT;
}

void oci_ref_copy(const struct oci_ref *ref, struct oci_ref *ret_ref)
{
    *ret_ref = (struct oci_ref){.host = dr_strdup(ref->host),
                                .path = dr_strdup(ref->path),
                                .tag = dr_strdup(ref->tag),
                                .digest = ref->digest};
}

static char *with_target(const struct oci_ref *ref, const char *name)
{
    bool digest = ref->digest.text[0] != '\0';
    return dr_printf("%s%s%s%s%s", name, ref->tag ? ":" : "", ref->tag ? ref->tag : "",
                     digest ? "@" : "", ref->digest.text);
}

char *oci_ref_name(const struct oci_ref *ref)
{
    return dr_printf("%s/%s", ref->host, ref->path);
}

char *oci_ref_familiar_name(const struct oci_ref *ref)
{
    static const char library[] = "library/";
    if (strcmp(ref->host, OCI_DEFAULT_HOST) != 0)
        return oci_ref_name(ref);
    const char *path = ref->path;
    /* docker.io/library/a/b keeps its "library": "a/b" would be another image */
    if (strncmp(path, library, sizeof library - 1) == 0 &&
        !strchr(path + sizeof library - 1, '/'))
        path += sizeof library - 1;
    /* nor is the host left out where the rest would then read as one with a host */
    if (host_len(path) > 0)
        return oci_ref_name(ref);
    return dr_strdup(path);
}

char *oci_ref_text(const struct oci_ref *ref)
{
    dr_auto_free char *name = oci_ref_name(ref);
    return with_target(ref, name);
}

char *oci_ref_familiar(const struct oci_ref *ref)
{
    dr_auto_free char *name = oci_ref_familiar_name(ref);
    return with_target(ref, name);
}

const char *oci_ref_target(const struct oci_ref *ref)
{
    return ref->digest.text[0] ? ref->digest.text : ref->tag;
}
