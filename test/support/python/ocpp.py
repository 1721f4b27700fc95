"""
A charging station and its central system (OCPP 1.6J), with HTTP Basic: `ocpp.py serve PORT`, or `ocpp.py charge URL CA`, which
prints what it has been answered.
"""

import asyncio
import json
import ssl
import sys

from library import library

websockets = library("websockets")

STATION, PASSWORD = "CP-001", "a station's secret"


async def answer(socket):
    async for message in socket:
        _, number, action, _ = json.loads(message)
        result = {"status": "Accepted", "interval": 300, "currentTime": "2026-01-01T00:00:00Z"}
        await socket.send(json.dumps([3, number, {**result, "action": action, "station": socket.username}]))


async def serve(port):
    basic = websockets.basic_auth_protocol_factory(realm="ocpp", credentials=(STATION, PASSWORD))
    await websockets.serve(
        answer, "127.0.0.1", int(port), subprotocols=["ocpp1.6"], create_protocol=basic
    )
    await asyncio.Future()


async def charge(url, ca, password=PASSWORD):
    context = ssl.create_default_context(cafile=ca)
    basic = library("websockets.headers").build_authorization_basic(STATION, password)
    options = {"ssl": context, "subprotocols": ["ocpp1.6"], "extra_headers": {"Authorization": basic}}
    async with websockets.connect(f"{url}/{STATION}", **options) as socket:
        boot = {"chargePointVendor": "Example", "chargePointModel": "One"}
        await socket.send(json.dumps([2, "1", "BootNotification", boot]))
        print(json.dumps({"protocol": socket.subprotocol, "answer": json.loads(await socket.recv())}))


asyncio.run({"serve": serve, "charge": charge}[sys.argv[1]](*sys.argv[2:]))
