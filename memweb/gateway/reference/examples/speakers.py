import os

import httpx

gateway = httpx.Client(
    base_url="http://localhost:8000/serve/api/v2",
    headers={"Authorization": os.environ["MEMWEB_KEY"]},
    timeout=600,
)
asked = {"asset_id": os.environ["ASSET_ID"]}
answer = gateway.post("/transcriptions/sync-generate-speaker", json=asked)
for turn in answer.raise_for_status().json()["data"]["items"]:
    print(f"{turn['start']:6.2f} to {turn['end']:6.2f} {turn['speaker']}")
