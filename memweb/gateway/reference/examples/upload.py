import os

import httpx

gateway = httpx.Client(
    base_url="http://localhost:8000/serve/api/v2",
    headers={"Authorization": os.environ["MEMWEB_KEY"]},
    timeout=600,
)
with open("talk.mp3", "rb") as file:
    answer = gateway.post("/upload", files={"file": file})
print(answer.raise_for_status().json()["data"]["asset_id"])
