/* SPDX-License-Identifier: Apache-2.0 */
/*
 * close-win NAME: does to each process of the program NAME what Windows does when its
 * console's window is closed: CtrlRoutine runs on a new thread in it, which calls its
 * handlers, and it is ended when that thread has, after five seconds at the latest. Wine
 * has no window to close, but the rest is the same. Exit status: how many there were,
 * which is 0 when something failed.
 */
#include <windows.h>

#include <stdint.h>
#include <stdio.h>
#include <tlhelp32.h>
#include <wchar.h>

#define LIMIT_MS 5000
#define LAST_MS 500

/* It is at the same address in every process. */
static LPTHREAD_START_ROUTINE control_routine(void)
{
    HMODULE base = GetModuleHandleW(L"kernelbase.dll");
    FARPROC found = base ? GetProcAddress(base, "CtrlRoutine") : NULL;
    return (LPTHREAD_START_ROUTINE)(uintptr_t)found;
}

static BOOL close_window(DWORD pid)
{
    HANDLE process = OpenProcess(PROCESS_ALL_ACCESS, FALSE, pid);
    HANDLE thread = process
                        ? CreateRemoteThread(process, NULL, 0, control_routine(),
                                             (void *)(uintptr_t)CTRL_CLOSE_EVENT, 0, NULL)
                        : NULL;
    if (!thread) {
        fprintf(stderr, "close-win: process %lu: error %lu\n", pid, GetLastError());
        return FALSE;
    }
    /* a process that ends by itself takes the thread along first */
    if (WaitForSingleObject(thread, LIMIT_MS) != WAIT_OBJECT_0 ||
        WaitForSingleObject(process, LAST_MS) != WAIT_OBJECT_0)
        TerminateProcess(process, STATUS_CONTROL_C_EXIT);
    return TRUE;
}

int wmain(int argc, wchar_t **argv);
int wmain(int argc, wchar_t **argv)
{
    int count = 0;
    PROCESSENTRY32W entry = {.dwSize = sizeof entry};
    HANDLE all = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
    if (argc != 2 || all == INVALID_HANDLE_VALUE || !control_routine())
        return 0;
    for (BOOL more = Process32FirstW(all, &entry); more;
         more = Process32NextW(all, &entry))
        if (_wcsicmp(entry.szExeFile, argv[1]) == 0) {
            if (!close_window(entry.th32ProcessID))
                return 0;
            count++;
        }
    return count;
}
