"""A command in a process of its own: what it prints and the most memory it has, for growth.py and players.py."""

import os
import subprocess


def run(words, env, core=None):
    """What a command prints, None where it fails, and the most memory it had in MiB; pinned where a core is given."""
    pin = [] if core is None else ["taskset", "-c", str(core)]
    process = subprocess.Popen(pin + words, stdout=subprocess.PIPE, text=True, env=env)
    out = process.stdout.read()
    # Not `wait`: only this tells the memory of one process.
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return out if process.returncode == 0 else None, usage.ru_maxrss / 1024
