#!/usr/bin/env python3
"""Asks a machine a few things with QMPClient of PyPI's qemu.qmp.

usage: qmp-client.py SOCKET
"""

import asyncio
import sys

from qemu.qmp import QMPClient
from qemu.qmp.qmp_client import ExecuteError


async def main():
    client = QMPClient("test")
    await client.connect(sys.argv[1])
    status = await client.execute("query-status")
    commands = {entry["name"] for entry in await client.execute("query-commands")}
    schema = await client.execute("query-qmp-schema")
    assert commands == {entry["name"] for entry in schema if entry["meta-type"] == "command"}
    try:
        await client.execute("no-such-command")
        raise SystemExit("an unknown command was carried out")
    except ExecuteError as error:
        assert error.error_class == "CommandNotFound"
    with client.listener("DUMP_COMPLETED") as listener:
        await client.execute("dump-guest-memory", {"paging": False, "protocol": "file:/dev/null"})
        event = await listener.get()
        assert event["data"]["result"]["status"] == "completed", event
    await client.disconnect()
    print(status)


asyncio.run(main())
