#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Keeps the fakes of a test program: a fork of this process is a fake that runs at once, where a
Python of its own costs a quarter of a second of a processor's time. Each is still a process of its
own, with a state and a port of its own. Python's standard library only.

Asked on stdin, one at a time: the number of words in a line, then the words, each with a NUL behind
it. Answered on stdout with a line:
    start PROGRAM words…   "PID PORT" of a fake of this directory, which tells it at --port-file
    exec FILE words…       "PID 0" of any program, whose output goes to the file
    run PROGRAM words…     "STATUS 0" of a program of this directory, its output is dropped; the
                           program -c is Python's text in the next word
    stop PID               "0 0" when it is gone
At the end of stdin, which may be the death of the test program, all that runs is killed.
"""
import gc
import importlib.util
import os
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


class Keeper:
    def __init__(self):
        self.pids, self.modules = set(), {}

    def module(self, program):
        if program not in self.modules:
            spec = importlib.util.spec_from_file_location(
                program.replace("-", "_").removesuffix(".py"), os.path.join(HERE, program))
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            self.modules[program] = module
            gc.freeze()  # forks do not copy what is here to stay
        return self.modules[program]

    def fork(self, output, body):
        """A child whose stdin is empty; body ends it."""
        pid = os.fork()
        if pid:
            self.pids.add(pid)
            return pid
        status = 1
        try:
            for fd, path, flags in ((0, "/dev/null", os.O_RDONLY),
                                    (1, output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)):
                opened = os.open(path, flags, 0o600)
                os.dup2(opened, fd)
                os.close(opened)
            body()
            status = 0
        except SystemExit as e:
            if isinstance(e.code, str):
                print(e.code, file=sys.stderr)
            status = e.code if isinstance(e.code, int) else 1
        except BaseException:  # pylint: disable=broad-except
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(status)

    def fork_main(self, program, words):
        module = None if program == "-c" else self.module(program)

        def body():
            sys.argv = [program, *words]
            if module:
                module.main()
            else:
                exec(compile(words[0], "-c", "exec"), {})  # pylint: disable=exec-used
        return self.fork("/dev/null", body)

    def start(self, program, *words):
        reader, writer = os.pipe()
        pid = self.fork_main(program, ["--port-file", f"/dev/fd/{writer}", *words])
        os.close(writer)
        with open(reader, encoding="utf-8") as f:
            port = f.readline()  # or the end, with its last breath
        return pid, int(port or 0)

    def exec(self, output, *words):
        def body():
            os.dup2(1, 2)
            os.execvp(words[0], words)
        return self.fork(output, body), 0

    def run(self, program, *words):
        pid = self.fork_main(program, words)
        self.pids.remove(pid)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0

    def stop(self, pid):
        pid = int(pid)
        self.pids.remove(pid)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return 0, 0

    def serve(self):
        commands = {"start": self.start, "exec": self.exec, "run": self.run, "stop": self.stop}
        stdin = sys.stdin.buffer
        while line := stdin.readline():
            count, words, text = int(line), [], b""
            while len(words) < count:
                byte = stdin.read(1)
                if not byte:
                    return
                if byte == b"\0":
                    words.append(os.fsdecode(text))
                    text = b""
                else:
                    text += byte
            print(*commands[words[0]](*words[1:]), flush=True)


def main():
    sys.dont_write_bytecode = True
    keeper = Keeper()
    try:
        keeper.serve()
    finally:
        for pid in list(keeper.pids):
            keeper.stop(pid)


if __name__ == "__main__":
    main()
