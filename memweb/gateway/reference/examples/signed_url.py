import os

import httpx

gateway = httpx.Client(
    base_url="http://localhost:8000/serve/api/v2",
    headers={"Authorization": os.environ["MEMWEB_KEY"]},
    timeout=600,
)
answer = gateway.post("/upload/signed-url", json={"original_filename": "talk.mp3"})
announced = answer.raise_for_status().json()["data"]
with open("talk.mp3", "rb") as file:
    httpx.put(announced["signed_url"], content=file).raise_for_status()
print(announced["asset_id"])
