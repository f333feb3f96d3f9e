/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program's beginning: arguments as UTF-8, and the console ready for what dray writes
 * (UTF-8, escape sequences), as it was again at the end.
 */
#include "win/fd.h"

#include <shellapi.h>

static UINT code_page;
static struct {
    HANDLE handle;
    DWORD mode;
} consoles[2];

void win_console_restore(void)
{
    for (int i = 0; i < 2; i++)
        if (consoles[i].handle)
            SetConsoleMode(consoles[i].handle, consoles[i].mode);
    if (code_page)
        SetConsoleOutputCP(code_page);
}

static void console_end(void)
{
    fflush(stdout);
    win_console_restore();
}

/* The end by Ctrl-C, which no atexit sees: whoever wants it for something else is asked
 * before us, since that handler was installed later. */
static BOOL WINAPI on_end(DWORD what)
{
    (void)what;
    win_console_restore();
    return FALSE;
}

static void console_begin(void)
{
    static const DWORD which[2] = {STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};
    for (int i = 0; i < 2; i++) {
        HANDLE handle = GetStdHandle(which[i]);
        DWORD mode;
        if (!handle || !GetConsoleMode(handle, &mode))
            continue;
        consoles[i].handle = handle;
        consoles[i].mode = mode;
        SetConsoleMode(handle, mode | ENABLE_PROCESSED_OUTPUT |
                                   4 /* ENABLE_VIRTUAL_TERMINAL_PROCESSING */);
        if (!code_page) {
            code_page = GetConsoleOutputCP();
            SetConsoleOutputCP(CP_UTF8);
        }
    }
    atexit(console_end);
    SetConsoleCtrlHandler(on_end, TRUE);
}

#undef main
int main(void)
{
    int count = 0;
    wchar_t **wide = CommandLineToArgvW(GetCommandLineW(), &count);
    char **argv = calloc((size_t)count + 1, sizeof *argv);
    if (!wide || !argv)
        abort();
    for (int i = 0; i < count; i++)
        if (!(argv[i] = win_utf8(wide[i])))
            abort();
    LocalFree(wide);
    /* no \r of the C library's, and no character that is written in pieces */
    _setmode(1, _O_BINARY);
    _setmode(2, _O_BINARY);
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    setvbuf(stderr, NULL, _IOFBF, 1 << 12); /* whoever writes to it flushes it */
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
    WSADATA winsock;
    WSAStartup(MAKEWORD(2, 2), &winsock);
    console_begin();
    return dray_main(count, argv);
}
