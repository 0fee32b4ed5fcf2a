import os

from openai import OpenAI

client = OpenAI(api_key=os.environ["MEMWEB_KEY"], base_url="http://localhost:8000/v1")
with open("talk.mp3", "rb") as file:
    transcript = client.audio.transcriptions.create(
        model="whisper-1",
        file=file,
        response_format="verbose_json",
    )
for segment in transcript.segments:
    print(f"{segment.start:6.2f} {segment.text}")
