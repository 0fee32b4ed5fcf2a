import asyncio
import json
import os
import wave
from urllib.parse import urlencode

from websockets.asyncio.client import connect

ADDRESS = "ws://localhost:8000/serve/ws/v2/audio-stream"


async def speak(socket, recording):
    """A tenth of a second at a time, as a microphone would; then the end."""
    tenth = recording.getframerate() // 10
    while sound := recording.readframes(tenth):
        await socket.send(sound)
        await asyncio.sleep(0.1)
    await socket.send(json.dumps({"type": "Terminate"}))


async def main():
    headers = {"Authorization": os.environ["MEMWEB_KEY"]}
    with wave.open("talk.wav") as recording:
        query = {"provider": "assemblyai", "sample_rate": recording.getframerate()}
        address = f"{ADDRESS}?{urlencode(query)}"
        async with connect(address, additional_headers=headers) as socket:
            speaking = asyncio.create_task(speak(socket, recording))
            async for message in socket:
                frame = json.loads(message)
                if frame["type"] == "Turn" and frame["end_of_turn"]:
                    print(frame["transcript"])
            await speaking


asyncio.run(main())
