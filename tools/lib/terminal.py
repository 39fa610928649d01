#!/usr/bin/env python3
"""Types at a program on a pseudo terminal, as a person would, and looks what it shows.

usage: terminal.py [--timeout SECONDS] [--pty FILE] STEP… -- COMMAND…

A STEP is
  see:TEXT       what is shown from here on must come to hold TEXT; \\r, \\n and \\xNN are understood
  type:TEXT      typed; \\r, \\n and \\xNN are understood (Ctrl-a is \\x01)
  never:TEXT     TEXT must not have been shown so far
  end:STATUS     the program ends with that status; the terminal must be as it was before
With --pty FILE the steps are done on the pseudo terminal whose name COMMAND writes to FILE ("redirected to /dev/pts/N"), not
on COMMAND's own.
"""

import fcntl
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time

arguments = sys.argv[1:]
split = arguments.index("--")
steps, command = arguments[:split], arguments[split + 1 :]
timeout, log = 30.0, None
while steps and steps[0] in ("--timeout", "--pty"):
    if steps[0] == "--timeout":
        timeout = float(steps[1])
    else:
        log = steps[1]
    steps = steps[2:]
deadline = time.monotonic() + timeout

master, slave = pty.openpty()
before = termios.tcgetattr(slave)


def own_terminal():
    """Makes it the terminal that sends signals: Ctrl-C is SIGINT there."""
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)


process = subprocess.Popen(
    command, stdin=slave, stdout=slave, stderr=open(log, "wb") if log else slave, preexec_fn=own_terminal
)
screen = master
if log:
    while True:
        name = re.search(r"redirected to (/dev/\S+)", open(log, encoding="utf-8").read())
        if name:
            screen = os.open(name[1], os.O_RDWR | os.O_NOCTTY)
            break
        if time.monotonic() > deadline or process.poll() is not None:
            sys.exit("no pseudo terminal was named: " + open(log, encoding="utf-8").read())
        time.sleep(0.02)
shown = b""
position = 0


def text(step):
    return step.split(":", 1)[1].encode().decode("unicode_escape").encode("latin-1")


def fail(reason):
    process.kill()
    sys.exit(f"{reason}; shown so far:\n{shown.decode(errors='replace')}")


def read():
    global shown
    ready, _, _ = select.select([screen], [], [], 0.1)
    if ready:
        try:
            shown += os.read(screen, 65536)
        except OSError:
            time.sleep(0.05)


for step in steps:
    if step.startswith("see:"):
        while shown.find(text(step), position) < 0:
            if time.monotonic() > deadline:
                fail(f"'{step}' did not come")
            read()
        position = shown.find(text(step), position) + len(text(step))
    elif step.startswith("type:"):
        os.write(screen, text(step))
    elif step.startswith("never:"):
        if text(step) in shown:
            fail(f"'{step}' came")
    elif step.startswith("end:"):
        while process.poll() is None:
            if time.monotonic() > deadline:
                fail("it does not end")
            read()
        if process.returncode != int(step[4:]):
            fail(f"it ended with status {process.returncode}")
        if termios.tcgetattr(slave)[:4] != before[:4]:
            fail("the terminal was left in another mode")
    else:
        fail(f"what is '{step}'?")
if process.poll() is None:
    process.terminate()
    process.wait()
