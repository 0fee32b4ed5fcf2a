import asyncio
import base64
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
        encoded = base64.b64encode(sound).decode()
        chunk = {"message_type": "input_audio_chunk", "audio_base_64": encoded}
        await socket.send(json.dumps(chunk))
        await asyncio.sleep(0.1)
    await socket.send(json.dumps({"type": "Terminate"}))


async def main():
    headers = {"Authorization": os.environ["MEMWEB_KEY"]}
    with wave.open("talk.wav") as recording:
        query = {
            "provider": "elevenlabs",
            "audio_format": f"pcm_{recording.getframerate()}",
            "language_code": "en",
            "commit_strategy": "vad",
        }
        address = f"{ADDRESS}?{urlencode(query)}"
        async with connect(address, additional_headers=headers) as socket:
            speaking = asyncio.create_task(speak(socket, recording))
            async for message in socket:
                frame = json.loads(message)
                if frame["message_type"] == "committed_transcript":
                    print(frame["text"])
            await speaking


asyncio.run(main())
