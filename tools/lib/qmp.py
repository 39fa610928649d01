#!/usr/bin/env python3
"""A QMP client for scripts: does one step after the other and prints what comes in.

usage: qmp.py SOCKET [--timeout SECONDS] STEP…

A step is
  a QMP command as JSON           sent; its answer is awaited, an error ends the client with status 1
  !COMMAND                        the same, but the answer must be an error
  wait:EVENT                      waits for an event of that name, unless one that nobody waited for has come already
  status:NAME                     query-status must answer with that status
  NAME                            the command of that name, without arguments

Every line that the other side sends goes to stdout as it is. The other side may close the socket after `quit`.
"""

import json
import socket
import sys
import time


class Failure(Exception):
    """What went wrong, for a person."""


class Client:
    """A connection past the handshake; events that nobody waited for are kept."""

    def __init__(self, path, timeout):
        self.deadline = time.monotonic() + timeout
        self.events = []
        self.buffer = b""
        self.socket = self.connect(path)
        greeting = self.receive()
        if "QMP" not in greeting:
            raise Failure(f"this is no QMP greeting: {greeting}")
        self.command({"execute": "qmp_capabilities"})

    def connect(self, path):
        """The machine may be about to start: the socket is waited for as well."""
        while True:
            client = socket.socket(socket.AF_UNIX)
            try:
                client.connect(path)
                return client
            except OSError as error:
                client.close()
                if time.monotonic() > self.deadline:
                    raise Failure(f"cannot connect to {path}: {error}") from error
                time.sleep(0.02)

    def receive(self):
        """The next message; prints it."""
        while b"\n" not in self.buffer:
            self.socket.settimeout(max(0.01, self.deadline - time.monotonic()))
            try:
                data = self.socket.recv(65536)
            except TimeoutError as error:
                raise Failure("nothing more came in time") from error
            except ConnectionError:
                data = b""
            if not data:
                raise EOFError
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        print(line.decode().rstrip("\r"), flush=True)
        return json.loads(line)

    def command(self, command):
        """Sends a command and gives its answer, the events before it put aside."""
        self.socket.sendall(json.dumps(command).encode() + b"\n")
        while True:
            message = self.receive()
            if "event" in message:
                self.events.append(message["event"])
            else:
                return message

    def wait(self, event):
        while event not in self.events:
            message = self.receive()
            if "event" in message:
                self.events.append(message["event"])
        # What came before it is not waited for any more.
        del self.events[: self.events.index(event) + 1]


def parse(text):
    return json.loads(text) if text.startswith("{") else {"execute": text}


def perform(client, step):
    if step.startswith("wait:"):
        client.wait(step[5:])
    elif step.startswith("status:"):
        answer = client.command({"execute": "query-status"})
        if answer.get("return", {}).get("status") != step[7:]:
            raise Failure(f"expected status {step[7:]}, got {answer}")
    elif step.startswith("!"):
        answer = client.command(parse(step[1:]))
        if "error" not in answer:
            raise Failure(f"{step[1:]} should have been refused")
    else:
        answer = client.command(parse(step))
        if "error" in answer:
            raise Failure(f"{step}: {answer['error'].get('desc')}")


def main(arguments):
    if len(arguments) < 2:
        print(__doc__.strip(), file=sys.stderr)
        return 64
    path, steps, timeout = arguments[0], arguments[1:], 60.0
    if steps[0] == "--timeout":
        timeout, steps = float(steps[1]), steps[2:]
    step = "handshake"
    try:
        client = Client(path, timeout)
        for step in steps:
            try:
                perform(client, step)
            except EOFError:
                if step != "quit":
                    raise
                return 0
    except EOFError:
        print(f"qmp: the connection ended during '{step}'", file=sys.stderr)
        return 1
    except (Failure, OSError, ValueError) as failure:
        print(f"qmp: {step}: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
