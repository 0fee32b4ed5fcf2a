import os

import httpx

gateway = httpx.Client(
    base_url="http://localhost:8000/serve/api/v2",
    headers={"Authorization": os.environ["MEMWEB_KEY"]},
    timeout=600,
)
asked = {"asset_id": os.environ["ASSET_ID"], "model": "whisper-1", "speaker": True}
answer = gateway.post("/transcriptions/sync-generate-audio", json=asked)
for item in answer.raise_for_status().json()["data"]["items"]:
    print(f"{item['start_time']:6.2f} {item['speaker']} {item['text']}")
