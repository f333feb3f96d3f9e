# SPDX-License-Identifier: Apache-2.0
"""How a fake tells on which port it listens. Python's standard library only."""
import os


def tell(path, port):
    """The port in a line of a file that is there with its line or not at all; or, with
    /dev/fd/N, in that pipe. None: nobody wants to know."""
    if not path:
        return
    pipe = path.startswith("/dev/fd/")
    written = path if pipe else path + ".new"
    with open(written, "w", encoding="utf-8") as f:
        f.write(f"{port}\n")
    if not pipe:
        os.rename(written, path)
