import os

import httpx

gateway = httpx.Client(
    base_url="http://localhost:8000/serve/api/v2",
    headers={"Authorization": os.environ["MEMWEB_KEY"]},
    timeout=600,
)
asked = {"asset_id": os.environ["ASSET_ID"], "language_code": "en", "diarize": True}
answer = gateway.post("/transcriptions/speech-to-text", json=asked)
print(answer.raise_for_status().json()["data"]["text"])
