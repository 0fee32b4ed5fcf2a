import asyncio
import base64
import os
import wave

from elevenlabs import AudioFormat, CommitStrategy, ElevenLabs, RealtimeEvents

client = ElevenLabs(api_key=os.environ["MEMWEB_KEY"], base_url="http://localhost:8000")


async def main():
    with wave.open("talk.wav") as recording:
        rate = recording.getframerate()
        connection = await client.speech_to_text.realtime.connect(
            {
                "model_id": "scribe_v2_realtime",
                "audio_format": AudioFormat(f"pcm_{rate}"),
                "sample_rate": rate,
                "language_code": "en",
                "commit_strategy": CommitStrategy.MANUAL,
            }
        )
        committed = asyncio.get_running_loop().create_future()
        connection.on(RealtimeEvents.COMMITTED_TRANSCRIPT, committed.set_result)
        while sound := recording.readframes(rate // 10):
            await connection.send({"audio_base_64": base64.b64encode(sound).decode()})
            await asyncio.sleep(0.1)
    await connection.commit()
    print((await committed)["text"])
    await connection.close()


asyncio.run(main())
