#!/usr/bin/env python3
"""Passes descriptors over a QMP socket (SCM_RIGHTS) and has memory dumped into them, as drgn does; and dumps detached.

usage: qmp-descriptors.py SOCKET    (of a stopped machine)
"""

import array
import json
import os
import socket
import sys

client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
client.settimeout(30)
stream = client.makefile("r")
stream.readline()
events = []


def ask(command, descriptors=(), **arguments):
    message = {"execute": command}
    if arguments:
        message["arguments"] = arguments
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    client.sendmsg([json.dumps(message).encode()], rights)
    while "event" in (answer := json.loads(stream.readline())):
        events.append(answer["event"])
    return answer.get("return", answer.get("error", {}).get("desc"))


def expect(what, found):
    if found != what:
        sys.exit(f"expected {what}, found {found}")


ask("qmp_capabilities")
expect("No file descriptor supplied via SCM_RIGHTS", ask("getfd", fdname="none"))
expect("File descriptor named 'none' not found", ask("closefd", fdname="none"))
expect(
    "File descriptor named 'none' has not been found", ask("dump-guest-memory", paging=False, protocol="fd:none")
)

reading, writing = os.pipe()
expect({}, ask("getfd", [writing], fdname="pipe"))
os.close(writing)
expect({}, ask("dump-guest-memory", paging=False, protocol="fd:pipe", begin=0, length=1))
core = b""
while data := os.read(reading, 65536):
    core += data
expect(b"\x7fELF", core[:4])

# Of several, the first one is taken, and the others are closed.
file = os.open("descriptor.elf", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
other_reading, other_writing = os.pipe()
expect("Parameter 'fdname' expects a name not starting with a digit", ask("getfd", [file], fdname="7"))
expect({}, ask("getfd", [file, other_writing], fdname="file"))
os.close(other_writing)
expect(b"", os.read(other_reading, 1))
expect({}, ask("dump-guest-memory", paging=False, protocol="fd:file", detach=True))
refused = "There is a dump in process, please wait."
if "DUMP_COMPLETED" not in events[1:]:
    state = ask("query-dump")["status"]
    answer = ask("cont")
    # Where the dump was faster, the machine has just been continued.
    if answer == {}:
        ask("stop")
    else:
        expect(refused, answer)
while ask("query-dump")["status"] == "active":
    expect(True, ask("human-monitor-command", **{"command-line": "info status"}).startswith("VM status: paused"))
expect("completed", ask("query-dump")["status"])
expect({}, ask("dump-guest-memory", paging=False, protocol="file:" + os.path.abspath("file.elf")))
