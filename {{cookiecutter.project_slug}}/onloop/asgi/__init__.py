"""The ASGI application of a Django project: handler, lifespan, routing, limits."""

from onloop.asgi.bodies import BodyLimits
from onloop.asgi.bulkhead import thread_bulkhead
from onloop.asgi.handler import EventLoopASGIHandler
from onloop.asgi.lifespan import Lifespan, Resource, add_resource, stopping
from onloop.asgi.refusal import RequestRefusedError, serve_unless_refused
from onloop.asgi.routing import ProtocolRouter, refuse_websocket, served_port, set_route
from onloop.asgi.shedding import LoadShedding
from onloop.asgi.startup import checked_project
from onloop.asgi.threads import OwnThread, release_thread
from onloop.asgi.types import Application, Receive, Scope, Send
from onloop.asgi.waiting import ServerStoppingError, Waiter, until_stopping, waiter
from onloop.asgi.websockets import WebSocketRouter, installed_routes

__all__ = [
    "Application",
    "BodyLimits",
    "EventLoopASGIHandler",
    "Lifespan",
    "LoadShedding",
    "OwnThread",
    "ProtocolRouter",
    "Receive",
    "RequestRefusedError",
    "Resource",
    "Scope",
    "Send",
    "ServerStoppingError",
    "Waiter",
    "WebSocketRouter",
    "add_resource",
    "checked_project",
    "installed_routes",
    "refuse_websocket",
    "release_thread",
    "serve_unless_refused",
    "served_port",
    "set_route",
    "stopping",
    "thread_bulkhead",
    "until_stopping",
    "waiter",
]
