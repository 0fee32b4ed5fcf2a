"""Daphne, repaired: the server memweb starts by default.

What stock Daphne 4.2 does, and what happens here instead:

- every refused handshake is 403          -> the status, headers and body the application chose
- a bad Sec-WebSocket-Protocol is a 500   -> 400, in words
- empty messages are dropped, both ways   -> delivered
- no back-pressure, either way            -> reading stops while the application is behind; `await send()` waits
- close codes 1001-2999 are impossible    -> allowed, with their reason
- protocol errors drop the connection     -> a close frame says why first (1002, 1007, 1009)
- no close frame on TERM                  -> 1012 to every socket, /healthz 503, exit 0 within seconds
- no lifespan                             -> startup before listening, shutdown after the last connection
- an application that returns is ignored  -> its socket is closed at once, 1011 after an exception
- a request's whole body sits in a queue  -> read from its file as the application asks for it
- a body of any length lies on the disk  -> 413 as soon as it is longer than its address takes; 507 where room runs out
- queries in the access log               -> the path alone
- a trickle of header bytes lives for ever -> cut after HEADER_SECONDS
- a frame costs two turns of the reactor   -> an accepted socket is taken out of Twisted's hands (handshake, sockets)

`python -m memweb.server` serves `memweb.asgi.application` on settings.HOST and settings.PORT.
"""

from memweb.server import eventloop  # noqa: F401  (first: Daphne takes the reactor it finds)
from memweb.server.life import serve

__all__ = ["serve"]
