"""
Talks to that service by one of three libraries, `clients.py LIBRARY URL CA TOKEN`, and prints as JSON what it has seen: the
greeting, the subprotocol, whether messages may be compressed, whether all that was said came back the same, and the end.
"""

import asyncio
import json
import ssl
import sys

from library import library

SAID = ["Grüße, ♥", bytes(range(256)) * 400, "long " * 60_000, "", b"", "ping"]
LAST = "close 4001 that is all"


async def talk(send, receive):
    """Says everything, one at a time; `receive` gives what comes back."""
    seen = {"greeting": await receive(), "same": []}
    for message in SAID:
        await send(message)
        heard = await receive()
        seen["same"].append(heard == ("pong" if message == "ping" else message))
    await send(LAST)
    return seen


async def talk_websockets(url, context, headers):
    websockets = library("websockets")
    async with websockets.connect(url, ssl=context, extra_headers=headers, subprotocols=["chat"]) as socket:
        await (await socket.ping())
        seen = await talk(socket.send, socket.recv)
        await socket.wait_closed()
        deflate = any(extension.name == "permessage-deflate" for extension in socket.extensions)
        end = {"code": socket.close_code, "reason": socket.close_reason}
        return {**seen, **end, "protocol": socket.subprotocol, "deflate": deflate}


async def talk_aiohttp(url, context, headers):
    aiohttp = library("aiohttp")
    async with aiohttp.ClientSession() as session:
        options = {"ssl": context, "headers": headers, "protocols": ["chat"], "compress": 15}
        async with session.ws_connect(url, **options) as socket:

            async def send(message):
                await (socket.send_bytes(message) if isinstance(message, bytes) else socket.send_str(message))

            async def receive():
                return (await socket.receive()).data

            seen = await talk(send, receive)
            _, code, reason = await socket.receive()
            end = {"code": code, "reason": reason}
            return {**seen, **end, "protocol": socket.protocol, "deflate": socket.compress > 0}


async def talk_tornado(url, context, headers):
    request = library("tornado.httpclient").HTTPRequest(url, headers=headers, ssl_options=context)
    connect = library("tornado.websocket").websocket_connect
    socket = await connect(request, subprotocols=["chat"], compression_options={})

    async def send(message):
        await socket.write_message(message, binary=isinstance(message, bytes))

    deflate = socket.protocol._compressor is not None
    seen = await talk(send, socket.read_message)
    await socket.read_message()
    end = {"code": socket.close_code, "reason": socket.close_reason}
    return {**seen, **end, "protocol": socket.selected_subprotocol, "deflate": deflate}


async def main(name, url, ca, token):
    context = ssl.create_default_context(cafile=ca)
    headers = {"Authorization": "Bearer " + token}
    seen = await globals()["talk_" + name](url, context, headers)
    print(json.dumps(seen))


asyncio.run(main(*sys.argv[1:]))
