import os

import assemblyai as aai

aai.settings.api_key = os.environ["MEMWEB_KEY"]
aai.settings.base_url = "http://localhost:8000"
config = aai.TranscriptionConfig(speech_models=["best"], speaker_labels=True)
transcript = aai.Transcriber().transcribe("talk.mp3", config)
for utterance in transcript.utterances:
    print(f"{utterance.speaker}: {utterance.text}")
