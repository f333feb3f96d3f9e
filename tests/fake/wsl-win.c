/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stand-in for wsl.exe as a Windows program: wsl.py once more, for what runs under
 * Wine. Wine's pipes end at its own processes, so words, stdin and what comes back go
 * over a loopback connection to wsl-relay.py, where everything that imitates WSL is; the
 * wire is described there. Environment: WSL_TWIN_PORT, where that listens; WSL_UTF8;
 * WSL_TWIN_OLD; WSL_TWIN_WARN; WSL_TWIN_FAULT.
 *
 * Nothing but kernel32 and ws2_32 is used: each further library is paid at every start.
 */
#include <winsock2.h>

#include <windows.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RELAY_BYTES 4096

enum frame { FRAME_STDIN, FRAME_STDOUT, FRAME_STDERR, FRAME_EXIT };

int _dowildcard = 0; /* words with a '*' in them stay words */

static void give_up(const char *what)
{
    fprintf(stderr, "stand-in wsl.exe: %s failed (%lu, %d)\n", what, GetLastError(),
            WSAGetLastError());
    ExitProcess(255);
}

/* --- the request: a line of JSON --- */

struct text {
    char *data;
    size_t len;
};

static void add(struct text *to, const char *text)
{
    size_t len = strlen(text);
    to->data = realloc(to->data, to->len + len + 1);
    if (!to->data)
        give_up("memory");
    memcpy(to->data + to->len, text, len + 1);
    to->len += len;
}

static void add_string(struct text *to, const wchar_t *word)
{
    char unit[8];
    add(to, "\"");
    for (; *word; word++) {
        /* escaped, half a pair of surrogates comes through too */
        bool plain = *word >= 0x20 && *word < 0x7f && *word != '"' && *word != '\\';
        snprintf(unit, sizeof unit, plain ? "%c" : "\\u%04x", (unsigned)*word);
        add(to, unit);
    }
    add(to, "\"");
}

static bool variable(const wchar_t *name, wchar_t *value, DWORD size)
{
    DWORD len = GetEnvironmentVariableW(name, value, size);
    if (len >= size)
        give_up("an environment variable");
    return len > 0;
}

static struct text request(int argc, wchar_t **argv)
{
    static wchar_t value[32768];
    struct text r = {0};
    add(&r, "{\"argv\":[");
    for (int i = 1; i < argc; i++) {
        add(&r, i > 1 ? "," : "");
        add_string(&r, argv[i]);
    }
    add(&r, "],\"utf8\":");
    add(&r, variable(L"WSL_UTF8", value, 32768) && wcscmp(value, L"1") == 0 ? "true"
                                                                            : "false");
    add(&r, ",\"old\":");
    add(&r, variable(L"WSL_TWIN_OLD", value, 32768) ? "true" : "false");
    add(&r, ",\"cwd\":");
    if (GetCurrentDirectoryW(32768, value) == 0)
        give_up("the current directory");
    add_string(&r, value);
    if (variable(L"WSL_TWIN_WARN", value, 32768)) {
        add(&r, ",\"warn\":");
        add_string(&r, value);
    }
    if (variable(L"WSL_TWIN_FAULT", value, 32768)) {
        add(&r, ",\"fault\":");
        add_string(&r, value);
    }
    add(&r, "}\n");
    return r;
}

/* --- frames --- */

static bool send_all(SOCKET to, const void *data, size_t len)
{
    for (const char *p = data; len > 0;) {
        int n = send(to, p, (int)len, 0);
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static bool receive_all(SOCKET from, void *data, size_t len)
{
    for (char *p = data; len > 0;) {
        int n = recv(from, p, (int)len, 0);
        if (n <= 0)
            return false;
        p += n;
        len -= (size_t)n;
    }
    return true;
}

static DWORD WINAPI stdin_to(void *arg)
{
    struct {
        char head[5];
        char data[RELAY_BYTES];
    } frame = {{FRAME_STDIN}, {0}};
    SOCKET to = (SOCKET)(uintptr_t)arg;
    HANDLE in = GetStdHandle(STD_INPUT_HANDLE);
    DWORD len;
    do {
        if (!ReadFile(in, frame.data, RELAY_BYTES, &len, NULL))
            len = 0; /* a broken pipe is how the end of one is told */
        uint32_t size = len;
        memcpy(frame.head + 1, &size, 4);
    } while (send_all(to, &frame, sizeof frame.head + len) && len > 0);
    return 0;
}

static bool write_all(HANDLE to, const char *data, DWORD len)
{
    while (len > 0) {
        DWORD n;
        if (!WriteFile(to, data, len, &n, NULL))
            return false;
        data += n;
        len -= n;
    }
    return true;
}

static UINT serve(SOCKET from)
{
    static char data[1 << 20];
    char head[5];
    while (receive_all(from, head, sizeof head)) {
        uint32_t size;
        memcpy(&size, head + 1, 4);
        if (size > sizeof data || !receive_all(from, data, size))
            break;
        if (head[0] == FRAME_EXIT) {
            int32_t code;
            memcpy(&code, data, sizeof code);
            return (UINT)code;
        }
        HANDLE to =
            GetStdHandle(head[0] == FRAME_STDERR ? STD_ERROR_HANDLE : STD_OUTPUT_HANDLE);
        if (size == 0 && head[0] == FRAME_STDOUT)
            CloseHandle(to);
        else if (!write_all(to, data, size))
            break;
    }
    return 255;
}

static SOCKET connect_relay(void)
{
    wchar_t port[16];
    WSADATA data;
    if (!variable(L"WSL_TWIN_PORT", port, 16))
        give_up("WSL_TWIN_PORT");
    if (WSAStartup(MAKEWORD(2, 2), &data) != 0)
        give_up("WSAStartup");
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((u_short)_wtoi(port)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    SOCKET s = socket(AF_INET, SOCK_STREAM, 0);
    if (s == INVALID_SOCKET ||
        connect(s, (struct sockaddr *)&address, sizeof address) != 0)
        give_up("connecting to the relay");
    int on = 1, few = 65536;
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, (char *)&on, sizeof on);
    setsockopt(s, SOL_SOCKET, SO_SNDBUF, (char *)&few, sizeof few);
    return s;
}

int wmain(int argc, wchar_t **argv);
int wmain(int argc, wchar_t **argv)
{
    SOCKET relay = connect_relay();
    struct text words = request(argc, argv);
    if (!send_all(relay, words.data, words.len))
        give_up("sending");
    if (!CreateThread(NULL, 0, stdin_to, (void *)(uintptr_t)relay, 0, NULL))
        give_up("a thread");
    ExitProcess(serve(relay)); /* the thread may still be reading */
}
