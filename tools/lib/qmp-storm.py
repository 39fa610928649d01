#!/usr/bin/env python3
"""Connects to a QMP socket, says half a command or nonsense, and leaves; again and again.

usage: qmp-storm.py SOCKET PID CONNECTIONS SEED

Afterwards a well-behaved client must be served at once, and the process must hold hardly more memory, threads and
descriptors than after the first tenth of the connections.
"""

import json
import os
import random
import socket
import sys
import time

path, pid, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
draw = random.Random(seed)
corpus = [
    b'{"execute": "qmp_capabilities"}\n{"execute": "query-status"}\n',
    b'{"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}}',
    b'{"execute": "query-cpus-fast"',
    b'{"execute": "qmp_capabilities"}{"execute": "human-monitor-command", "arguments": {"command-line": "info registers"}}',
    b"{" * 2000,
    b'["a", {"b": [1, 2.5e3, null, true]}]\n',
    b"\xff\xfe\x00hello\n",
    b'{"execute": "qmp_capabilities"}\n{"execute": "set-action", "arguments": {"panic": "pau',
]


def usage():
    fields = {}
    for line in open(f"/proc/{pid}/status", encoding="utf-8"):
        name, _, value = line.partition(":")
        fields[name] = value.split()[0] if value.split() else ""
    return int(fields["VmRSS"]), int(fields["Threads"]), len(os.listdir(f"/proc/{pid}/fd"))


first = None
for number in range(count):
    client = socket.socket(socket.AF_UNIX)
    # Blocking: it waits where the queue of the socket is full.
    client.connect(path)
    client.settimeout(20)
    if draw.random() < 0.8:
        data = bytearray(draw.choice(corpus))
        if draw.random() < 0.5:
            del data[draw.randrange(len(data)) :]
        for _ in range(draw.randrange(3)):
            if data:
                data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        try:
            client.sendall(data)
            if draw.random() < 0.3:
                client.recv(4096)
            if draw.random() < 0.2:
                client.shutdown(socket.SHUT_WR)
        except OSError:
            pass
    client.close()
    if number == count // 10:
        first = usage()

start = time.monotonic()
client = socket.socket(socket.AF_UNIX)
client.connect(path)
client.settimeout(20)
stream = client.makefile("rw")
json.loads(stream.readline())
for command in ("qmp_capabilities", "query-status"):
    stream.write(json.dumps({"execute": command}) + "\n")
    stream.flush()
    while "event" in (answer := json.loads(stream.readline())):
        pass
    if "return" not in answer:
        sys.exit(f"{command}: {answer}")
took = time.monotonic() - start
last = usage()
print(f"{count} connections; KiB, threads, descriptors: {first} then {last}; served in {took:.3f} s")
if last[0] > first[0] + 16384 or last[1] > first[1] + 4 or last[2] > first[2] + 4 or took > 5:
    sys.exit("something was kept, or a client had to wait")
