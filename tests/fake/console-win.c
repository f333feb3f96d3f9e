/* SPDX-License-Identifier: Apache-2.0 */
/*
 * console-win FILE COMMAND...: runs COMMAND in our console, and when FILE appears gives
 * the console's window 100 columns and 30 rows, as a person does who pulls at its corner;
 * when FILE.keys appears, Ctrl-C is pressed: the terminal that Wine makes a console of
 * does not let it through. Its exit status is COMMAND's.
 */
#include <windows.h>

#include <stdio.h>
#include <wchar.h>

static void resize(void)
{
    HANDLE out = GetStdHandle(STD_OUTPUT_HANDLE);
    SMALL_RECT least = {0, 0, 9, 9}, window = {0, 0, 99, 29};
    SetConsoleWindowInfo(out, TRUE, &least); /* never larger than the buffer behind it */
    if (!SetConsoleScreenBufferSize(out, (COORD){100, 30}) ||
        !SetConsoleWindowInfo(out, TRUE, &window))
        fprintf(stderr, "console-win: cannot resize (%lu)\n", GetLastError());
}

static void press_ctrl_c(void)
{
    INPUT_RECORD key = {.EventType = KEY_EVENT,
                        .Event.KeyEvent = {.bKeyDown = TRUE,
                                           .wRepeatCount = 1,
                                           .wVirtualKeyCode = 'C',
                                           .uChar.UnicodeChar = 3,
                                           .dwControlKeyState = LEFT_CTRL_PRESSED}};
    DWORD n;
    if (!WriteConsoleInputW(GetStdHandle(STD_INPUT_HANDLE), &key, 1, &n))
        fprintf(stderr, "console-win: cannot press a key (%lu)\n", GetLastError());
}

/* True once, when the file is there. */
static BOOL appears(const wchar_t *path, BOOL *seen)
{
    if (*seen || GetFileAttributesW(path) == INVALID_FILE_ATTRIBUTES)
        return FALSE;
    return *seen = TRUE;
}

int wmain(int argc, wchar_t **argv);
int wmain(int argc, wchar_t **argv)
{
    if (argc < 3)
        return 255;
    /* our own words have no blanks nor quotes: COMMAND is the line behind them */
    wchar_t *command = wcsstr(GetCommandLineW(), argv[1]) + wcslen(argv[1]) + 1;
    STARTUPINFOW start = {.cb = sizeof start};
    PROCESS_INFORMATION process;
    DWORD code = 255;
    if (!CreateProcessW(NULL, command, NULL, NULL, TRUE, 0, NULL, NULL, &start,
                        &process)) {
        fwprintf(stderr, L"console-win: cannot start %ls (%lu)\n", command,
                 GetLastError());
        return 255;
    }
    wchar_t keys[MAX_PATH];
    BOOL resized = FALSE, pressed = FALSE;
    swprintf(keys, MAX_PATH, L"%ls.keys", argv[1]);
    while (WaitForSingleObject(process.hProcess, 50) == WAIT_TIMEOUT) {
        if (appears(argv[1], &resized))
            resize();
        if (appears(keys, &pressed))
            press_ctrl_c();
    }
    GetExitCodeProcess(process.hProcess, &code);
    return (int)code;
}
