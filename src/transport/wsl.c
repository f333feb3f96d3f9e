/* SPDX-License-Identifier: Apache-2.0 */
/*
 * wsl://: a WSL2 distro, by wsl.exe. Only `--exec`: behind `--` a login shell would read
 * the words. `-u root` asks for no password; without `--cd` the caller's directory would
 * be translated.
 *
 * What wsl.exe itself says comes on stdout, in UTF-16LE or (WSL_UTF8=1, and not too old)
 * in UTF-8, in the user's language: only the error codes in it, which are not translated,
 * are looked at.
 */
#include <string.h>

#include "base/json.h"
#include "transport/far.h"

static int wsl_argv(const struct transport_address *address, int64_t timeout_ms,
                    char ***ret_argv, struct dr_error *err)
{
    const char *const words[] = {"wsl.exe", "-d", address->host, "-u",     "root",
                                 "--cd",    "/",  "--exec",      "/bin/sh"};
    char **argv = NULL;
    for (size_t i = 0; i < DR_COUNT(words); i++)
        dr_strv_add(&argv, words[i]);
    *ret_argv = argv;
    return 0;
}

/* UTF-8 has no NULs; in UTF-16LE every second byte of what is ASCII is one: of the error
 * code at least, whatever the language. */
static bool is_utf16(const unsigned char *bytes, size_t len)
{
    size_t nuls[2] = {0};
    if (len >= 2 && bytes[0] == 0xff && bytes[1] == 0xfe)
        return true;
    for (size_t i = 0; i < len; i++)
        nuls[i % 2] += bytes[i] == 0;
    return nuls[1] > nuls[0];
}

static char *add_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
        *to++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *to++ = (char)(0xe0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    } else {
        *to++ = (char)(0xf0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 0x3f));
        *to++ = (char)(0x80 | (c >> 6 & 0x3f));
        *to++ = (char)(0x80 | (c & 0x3f));
    }
    return to;
}

static char *wsl_text(const char *text, size_t len)
{
    const unsigned char *bytes = (const unsigned char *)text;
    if (!is_utf16(bytes, len))
        return transport_text_plain(text, len);
    char *out = dr_alloc(len / 2 * 3 + 1), *to = out;
    for (size_t i = 0; i + 1 < len; i += 2) {
        uint32_t c = bytes[i] | (uint32_t)bytes[i + 1] << 8;
        if (c >= 0xd800 && c < 0xdc00 && i + 3 < len) {
            uint32_t low = bytes[i + 2] | (uint32_t)bytes[i + 3] << 8;
            if (low >= 0xdc00 && low < 0xe000) {
                c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
                i += 2;
            }
        }
        if (c >= 0xd800 && c < 0xe000)
            c = 0xfffd; /* half a pair */
        if (c != 0 && c != 0xfeff)
            to = add_utf8(to, c);
    }
    return out;
}

static const struct {
    const char *code;
    enum dr_kind kind;
    const char *hint;
} known[] = {
    {"WSL_E_DISTRO_NOT_FOUND", DR_ERR_CONFIG,
     "`wsl --list` shows the distros, `wsl --import NAME DIR FILE` makes one"},
    {"WSL_E_WSL_OPTIONAL_COMPONENT_REQUIRED", DR_ERR_UNAVAILABLE,
     "`wsl --install` turns WSL on"},
    {"WSL_E_VIRTUAL_MACHINE_PLATFORM_REQUIRED", DR_ERR_UNAVAILABLE,
     "`wsl --install` turns the virtual machine platform on"},
    {"HCS_E_HYPERV_NOT_INSTALLED", DR_ERR_UNAVAILABLE,
     "turn virtualization on: in the firmware, and with `wsl --install`"},
    {"HCS_E_SERVICE_NOT_AVAILABLE", DR_ERR_UNAVAILABLE,
     "turn virtualization on: in the firmware, and with `wsl --install`"},
    {"E_ILLEGAL_STATE_CHANGE", DR_ERR_UNAVAILABLE,
     "it can be used again when that is done; `wsl --list --verbose` shows it"},
    {"RPC_E_DISCONNECTED", DR_ERR_UNAVAILABLE, "WSL is being shut down; try again"},
    {"WSL_E_VM_CRASHED", DR_ERR_UNAVAILABLE, "`wsl --shutdown`, then try again"},
    {"WSL_E_USER_NOT_FOUND", DR_ERR_CONFIG, "the distro must have a user root"},
    {"E_ACCESSDENIED", DR_ERR_CONFIG, "Windows does not let this user do that"},
};

static enum dr_kind wsl_judge(const struct transport_end *end, const char **ret_hint)
{
    for (size_t i = 0; i < DR_COUNT(known); i++)
        if (strstr(end->words, known[i].code)) {
            *ret_hint = known[i].hint;
            return known[i].kind;
        }
    if (!end->booted && end->ended && (end->status == 126 || end->status == 127)) {
        *ret_hint = "the distro must have /bin/sh";
        return DR_ERR_CONFIG;
    }
    return DR_ERR_UNAVAILABLE;
}

const struct transport_kind transport_wsl = {
    .program = "wsl.exe",
    .env = "WSL_UTF8=1",
    .failed = "wsl.exe cannot reach it",
    .missing_kind = DR_ERR_UNAVAILABLE,
    .missing = "WSL is not here: on Windows, `wsl --install` brings it",
    .argv = wsl_argv,
    .text = wsl_text,
    .judge = wsl_judge,
};
