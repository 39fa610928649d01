#!/usr/bin/env python3
"""Speaks gdb's remote protocol to a server, packet by packet, for what gdb itself would never send.

usage: gdbremote.py ADDRESS STEP…

ADDRESS is HOST:PORT or the path of a socket. Steps:
  PACKET             send it, print the reply
  PACKET=>PATTERN    the reply must match the regular expression
  raw:BYTES          send bytes as they are (\\x03 and the like are understood); no reply is awaited
  many:N:BYTES       the same, N times
  wait:PATTERN       the next packet that comes must match
  sleep:SECONDS
  close              cut the connection off and connect anew

Ends with status 1 at the first reply that does not match or does not come within 30 seconds.
"""
import re
import socket
import sys
import time

TIMEOUT = 30


class Client:
    def __init__(self, address):
        self.address = address
        self.connect()

    def connect(self):
        host, _, port = self.address.rpartition(":")
        if host and port.isdigit():
            self.socket = socket.create_connection((host, int(port)), TIMEOUT)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(TIMEOUT)
            self.socket.connect(self.address)
        self.buffer = b""

    def close(self):
        # Reset, as when a client is killed.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def send(self, content):
        self.socket.sendall(b"$" + content + b"#%02x" % (sum(content) & 255))

    def receive(self):
        while True:
            match = re.search(rb"\$([^#]*)#([0-9a-f]{2})", self.buffer)
            if match:
                self.buffer = self.buffer[match.end():]
                if sum(match[1]) & 255 != int(match[2], 16):
                    raise ValueError("wrong checksum: %r" % match[0])
                try:
                    self.socket.sendall(b"+")
                except OSError:
                    pass  # a server that has just said good-bye
                return match[1].decode("latin-1")
            data = self.socket.recv(65536)
            if not data:
                raise ValueError("the connection was closed")
            self.buffer += data


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    client = Client(sys.argv[1])
    for step in sys.argv[2:]:
        try:
            kind, _, rest = step.partition(":")
            if kind == "raw":
                client.socket.sendall(rest.encode().decode("unicode_escape").encode("latin-1"))
                continue
            if kind == "many":
                count, _, text = rest.partition(":")
                client.socket.sendall(text.encode() * int(count))
                continue
            if kind == "sleep":
                time.sleep(float(rest))
                continue
            if step == "close":
                client.close()
                client.connect()
                continue
            if kind == "wait":
                pattern = rest
            else:
                packet, _, pattern = step.partition("=>")
                client.send(packet.encode("latin-1"))
            reply = client.receive()
            print(f"{step}: {reply[:200]}")
            if not re.search(pattern, reply):
                sys.exit(f"{step}: the reply is {reply[:200]!r}")
        except (OSError, ValueError) as error:
            sys.exit(f"{step}: {error}")


if __name__ == "__main__":
    main()
