import os

import httpx

answer = httpx.post(
    "http://localhost:8000/v1/single-use-token/realtime_scribe",
    headers={"xi-api-key": os.environ["MEMWEB_KEY"]},
)
print(answer.raise_for_status().json()["token"])
