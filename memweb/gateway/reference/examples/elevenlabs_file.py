import os

from elevenlabs import ElevenLabs

client = ElevenLabs(api_key=os.environ["MEMWEB_KEY"], base_url="http://localhost:8000")
with open("talk.mp3", "rb") as file:
    transcript = client.speech_to_text.convert(
        model_id="scribe_v2",
        file=file,
        language_code="en",
    )
print(transcript.text)
