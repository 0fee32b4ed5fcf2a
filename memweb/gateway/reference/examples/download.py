import os

import httpx

gateway = httpx.Client(
    base_url="http://localhost:8000/serve/api/v2",
    headers={"Authorization": os.environ["MEMWEB_KEY"]},
    timeout=600,
)
address = f"/{os.environ['ASSET_ID']}/download"
with gateway.stream("GET", address) as answer, open("fetched.mp3", "wb") as file:
    for piece in answer.raise_for_status().iter_bytes():
        file.write(piece)
