import os

import httpx

gateway = httpx.Client(
    base_url="http://localhost:8000/serve/api/v2",
    headers={"Authorization": os.environ["MEMWEB_KEY"]},
    timeout=600,
)
asked = {
    "audio_url": os.environ["AUDIO_URL"],
    "provider": "elevenlabs",
    "language_code": "en",
}
answer = gateway.post("/audio-stream/start", json=asked)
print(answer.raise_for_status().json()["data"]["task_id"])
