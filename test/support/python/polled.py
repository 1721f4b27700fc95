"""
A Socket.IO service that is only to be polled, `polled.py PORT`: it acknowledges `echo` and answers `shout` with what it was given,
puts everybody in a room by their x-user, and ends the connection of who says `leave`.
"""

import sys

from library import library

socketio = library("socketio")
web = library("aiohttp.web")

server = socketio.AsyncServer(async_mode="aiohttp", transports=["polling"], cors_allowed_origins="*")


@server.event
async def connect(sid, environ):
    server.enter_room(sid, environ["HTTP_X_USER"])


@server.event
async def echo(_sid, *given):
    return given


@server.event
async def shout(_sid, *given):
    await server.emit("shouted", given, room="alice")


@server.event
async def leave(sid):
    await server.disconnect(sid)


app = web.Application()
server.attach(app)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
