import os
import time
import wave

from assemblyai.streaming.v3 import (
    StreamingClient,
    StreamingClientOptions,
    StreamingEvents,
    StreamingParameters,
)

options = StreamingClientOptions(
    api_key=os.environ["MEMWEB_KEY"],
    api_host="ws://localhost:8000",
)
client = StreamingClient(options)


def show(client, turn):
    if turn.end_of_turn:
        print(turn.transcript)


def heard(recording):
    """A tenth of a second at a time, as a microphone would give it."""
    while sound := recording.readframes(recording.getframerate() // 10):
        yield sound
        time.sleep(0.1)  # as long as it sounds; the client reads in a thread of its own


client.on(StreamingEvents.Turn, show)
with wave.open("talk.wav") as recording:
    client.connect(StreamingParameters(sample_rate=recording.getframerate()))
    client.stream(heard(recording))
client.disconnect(terminate=True)
