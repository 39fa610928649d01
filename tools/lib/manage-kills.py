#!/usr/bin/env python3
"""Kills `inquest manage` with SIGKILL at random points and looks whether each panic was dealt with once.

usage: manage-kills.py [--kills N] [--seed N] [--policy POLICY] [--panics N] INQUEST -- MACHINE…

MACHINE is the command line of a machine whose guest (Guests/asm/panics.s) panics N times and then switches off; {qmp} in it
is replaced by the path of its QMP socket. New machines are started until the kills are done. Works in the current folder.
Ends with status 0 where no panic was lost and none was handled twice, else 1 with what went wrong.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("--kills", type=int, default=10)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--policy", default="cont")
parser.add_argument("--panics", type=int, default=20)
parser.add_argument("inquest")
parser.add_argument("machine", nargs="+")
options = parser.parse_args()
draw = random.Random(options.seed)
kills = 0
problems = []


def manager(folder):
    command = [options.inquest, "manage", "--qmp", f"{folder}/qmp", "--on-panic", options.policy, "--dump-dir", folder]
    command += ["--exec", 'echo "$INQUEST_PANIC_NUMBER $INQUEST_PANIC" >>' + f"{folder}/execs"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=open(f"{folder}/manage.log", "ab"))


def run(number):
    """One machine from its start to its end."""
    global kills
    folder = os.path.abspath(f"machine-{number}")
    os.mkdir(folder)
    words = [word.replace("{qmp}", f"{folder}/qmp").replace("{folder}", folder) for word in options.machine]
    machine = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=open(f"{folder}/machine.log", "wb"))
    deadline = time.monotonic() + 300
    while machine.poll() is None and kills < options.kills and time.monotonic() < deadline:
        process = manager(folder)
        try:
            process.wait(timeout=draw.uniform(0.005, 0.25))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
    last = manager(folder)
    try:
        machine.wait(timeout=max(1, deadline - time.monotonic()))
        # A manager that came when the machine had ended already waits for another one.
        last.wait(timeout=3)
    except subprocess.TimeoutExpired:
        if machine.poll() is None:
            problems.append(f"{folder}: the machine does not end")
    for process in (last, machine):
        if process.poll() is None:
            process.terminate()
            process.wait()
    check(folder)


def check(folder):
    seen, handled = {}, {}
    with open(f"{folder}/manage.jsonl", encoding="utf-8") as journal:
        for line in journal:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if entry.get("state") == "seen":
                seen[entry["number"]] = entry["panic"]
            elif entry.get("state") == "handled":
                handled[entry["number"]] = handled.get(entry["number"], 0) + 1
    if len(seen) != options.panics or len(set(seen.values())) != options.panics:
        problems.append(f"{folder}: {len(seen)} panics in the journal instead of {options.panics}")
    if sorted(handled) != sorted(seen) or any(count != 1 for count in handled.values()):
        problems.append(f"{folder}: handled: {handled}")
    with open(f"{folder}/execs", encoding="utf-8") as execs:
        commands = [line.split(" ", 1)[1] for line in execs]
    if len(commands) != options.panics or len(set(commands)) != options.panics:
        problems.append(f"{folder}: the command ran {len(commands)} times, for {len(set(commands))} panics")
    if options.policy.startswith("coredump"):
        cores = [name for name in os.listdir(folder) if name.startswith("guest-") and not name.endswith(".partial")]
        if len(cores) != options.panics:
            problems.append(f"{folder}: {len(cores)} cores instead of {options.panics}")


rounds = 0
while kills < options.kills and not problems and rounds < 100:
    rounds += 1
    run(rounds)
print(f"{kills} kills, {rounds} machines of {options.panics} panics each")
for problem in problems:
    print(problem)
sys.exit(1 if problems else 0)
