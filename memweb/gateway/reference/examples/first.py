import os

import httpx

with open("talk.mp3", "rb") as file:
    answer = httpx.post(
        "http://localhost:8000/v1/audio/transcriptions",
        headers={"Authorization": f"Bearer {os.environ['MEMWEB_KEY']}"},
        data={"model": "whisper-1"},
        files={"file": file},
        timeout=600,
    )
answer.raise_for_status()
print(answer.json()["text"])
