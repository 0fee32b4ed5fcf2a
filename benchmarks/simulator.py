"""A live upstream that costs little: it takes binary audio frames and answers each with one AssemblyAI `Turn`.

The frame's number is the turn's only word, so a measurement can match an answer to its frame. Every
`FRAMES_PER_TURN`th frame ends the turn. Run it with ``python -m benchmarks.simulator PORT``.
"""

from __future__ import annotations

import asyncio
import sys

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

FRAMES_PER_TURN = 30
FRAME_MS = 100
BEGIN = '{"type":"Begin","id":"simulator","expires_at":2000000000}'
TURN = (
    '{"type":"Turn","turn_order":%d,"turn_is_formatted":false,"end_of_turn":%s,"transcript":"%s",'
    '"end_of_turn_confidence":1.0,"words":[{"start":%d,"end":%d,"confidence":1.0,"text":"f%d","word_is_final":%s}]}'
)


def turn(number: int) -> str:
    """The answer to the frame of that number (from 0)."""
    order, place = divmod(number, FRAMES_PER_TURN)
    ended = place == FRAMES_PER_TURN - 1
    word = "true" if ended else "false"
    start = number * FRAME_MS
    return TURN % (order, word, f"f{number}" if ended else "", start, start + FRAME_MS, number, word)


async def answer(socket: ServerConnection) -> None:
    await socket.send(BEGIN)
    number = 0
    try:
        async for message in socket:
            if isinstance(message, str):
                if '"Terminate"' in message:
                    await socket.send('{"type":"Termination","audio_duration_seconds":0,"session_duration_seconds":0}')
                    return
                continue
            for _ in range(max(1, len(message) // 3200)):
                await socket.send(turn(number))
                number += 1
    except ConnectionClosed:
        return


async def main(port: int) -> None:
    async with serve(answer, "127.0.0.1", port, compression=None, max_queue=None) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
