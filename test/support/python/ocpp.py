"""
A charging station and its central system (OCPP 1.6J): `ocpp.py ask PORT` asks for HTTP Basic, `ocpp.py serve PORT` believes the
X-Station of whoever is before it; `ocpp.py charge URL CA [PASSWORD]` prints what it has been answered.
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
        fields = socket.request_headers
        asked = {"action": action, "station": fields.get("X-Station") or socket.username, "basic": "Authorization" in fields}
        await socket.send(json.dumps([3, number, {**result, **asked}]))


async def serve(port, **more):
    await websockets.serve(answer, "127.0.0.1", int(port), subprotocols=["ocpp1.6"], **more)
    await asyncio.Future()


async def ask(port):
    basic = websockets.basic_auth_protocol_factory(realm="ocpp", credentials=(STATION, PASSWORD))
    await serve(port, create_protocol=basic)


async def charge(url, ca, password=PASSWORD):
    context = ssl.create_default_context(cafile=ca)
    basic = library("websockets.headers").build_authorization_basic(STATION, password)
    options = {"ssl": context, "subprotocols": ["ocpp1.6"], "extra_headers": {"Authorization": basic}}
    async with websockets.connect(f"{url}/{STATION}", **options) as socket:
        boot = {"chargePointVendor": "Example", "chargePointModel": "One"}
        await socket.send(json.dumps([2, "1", "BootNotification", boot]))
        print(json.dumps({"protocol": socket.subprotocol, "answer": json.loads(await socket.recv())}))


asyncio.run({"ask": ask, "serve": serve, "charge": charge}[sys.argv[1]](*sys.argv[2:]))
