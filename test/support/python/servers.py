"""
The same WebSocket service by three libraries: `servers.py LIBRARY PORT`. It speaks the subprotocol `chat`, greets the user
whom the gateway names, closes as `close CODE REASON` tells it, answers `ping` when its own ping has been answered, and says
everything else again.
"""

import asyncio
import sys

from library import library


def closing(message):
    """The code and the reason of `close CODE REASON`; none for any other message."""
    if not isinstance(message, str) or not message.startswith("close "):
        return None
    _, code, reason = message.split(" ", 2)
    return int(code), reason


async def serve_websockets(port):
    websockets = library("websockets")

    async def talk(socket):
        await socket.send("hello " + socket.request_headers["X-User"])
        async for message in socket:
            if closing(message):
                await socket.close(*closing(message))
            elif message == "ping":
                await (await socket.ping())
                await socket.send("pong")
            else:
                await socket.send(message)

    await websockets.serve(talk, "127.0.0.1", port, subprotocols=["chat"])


async def serve_aiohttp(port):
    web = library("aiohttp.web")
    kinds = library("aiohttp").WSMsgType

    async def talk(request):
        socket = web.WebSocketResponse(protocols=["chat"], autoping=False)
        await socket.prepare(request)
        await socket.send_str("hello " + request.headers["X-User"])
        async for kind, data, _ in socket:
            if kind == kinds.PING:
                await socket.pong(data)
            elif kind == kinds.PONG:
                await socket.send_str("pong")
            elif kind == kinds.BINARY:
                await socket.send_bytes(data)
            elif closing(data):
                code, reason = closing(data)
                await socket.close(code=code, message=reason.encode())
            elif data == "ping":
                await socket.ping()
            else:
                await socket.send_str(data)
        return socket

    application = web.Application()
    application.router.add_get("/{tail:.*}", talk)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()


async def serve_tornado(port):
    web = library("tornado.web")
    handler = library("tornado.websocket").WebSocketHandler

    class Talk(handler):
        def check_origin(self, origin):
            return True

        def select_subprotocol(self, offered):
            return "chat" if "chat" in offered else None

        def get_compression_options(self):
            return {}

        def open(self, *_):
            self.write_message("hello " + self.request.headers["X-User"])

        def on_message(self, message):
            if closing(message):
                self.close(*closing(message))
            elif message == "ping":
                self.ping(b"?")
            else:
                self.write_message(message, binary=isinstance(message, bytes))

        def on_pong(self, data):
            self.write_message("pong")

    web.Application([(r"/.*", Talk)]).listen(port, "127.0.0.1")


async def main(name, port):
    await globals()["serve_" + name](int(port))
    await asyncio.Future()


asyncio.run(main(*sys.argv[1:]))
